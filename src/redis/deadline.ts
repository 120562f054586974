/**
 * Rejects when `work` takes longer than `ms`. A stall of this process is not held against the other
 * side: what has arrived by the time the timer fires is still read.
 */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // After a stall timers may run before the input that waits is read; the next immediate runs after it.
    timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer within ${ms} ms`))), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
