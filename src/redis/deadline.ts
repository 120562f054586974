/** A timer that fires later than this was held up by this process. */
const stalledMs = 5;
/** So often the other side is given the time anew after a stall. */
const maxStalls = 20;

/**
 * Rejects when `work` takes longer than `ms`. A stall of this process is not held against the other side:
 * after one it has the time anew, and what has arrived by the time the timer fires is still read.
 */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    let stalls = 0;
    const arm = () => {
      const due = performance.now() + ms;
      timer = setTimeout(() => {
        if (performance.now() - due > stalledMs && stalls++ < maxStalls) arm();
        // Timers run before the input that waits is read; the next immediate runs after it.
        else setImmediate(() => reject(new Error(`no answer within ${ms} ms`)));
      }, ms);
    };
    arm();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
