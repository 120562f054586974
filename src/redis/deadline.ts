/** However busy this process is, the other side is given its time so often at most. */
const maxLooks = 8;

/**
 * Rejects when `work` takes longer than `ms`. Only time in which this process had nothing else to do counts, as
 * its event loop tells: while it is busy, or stalled, it does not read what the other side has sent. When the
 * timer fires, what has arrived by then is still read.
 */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const { nodeTiming } = performance;
    const idleBefore = nodeTiming.idleTime;
    let looks = 0;
    const look = () => {
      const left = ms - (nodeTiming.idleTime - idleBefore);
      if (left >= 1 && ++looks < maxLooks) timer = setTimeout(look, left);
      // Timers run before the input that waits is read; the next immediate runs after it.
      else setImmediate(() => reject(new Error(`no answer within ${ms} ms`)));
    };
    timer = setTimeout(look, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
