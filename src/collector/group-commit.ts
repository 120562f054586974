/** What became of one submission: the reason by item that will never be taken. */
export type Refusals<T> = ReadonlyMap<T, string>;

/** @see createGroupCommit */
export interface GroupCommit<T> {
  /**
   * Resolves when `items` are committed, with those that were refused for good; null: no room, come back
   * later. Rejects when nothing is known to be committed.
   */
  submit(items: T[]): Promise<Refusals<T>> | null;
  /** Resolves when everything submitted is answered. */
  drain(): Promise<void>;
}

interface Submission<T> {
  items: T[];
  resolve(refusals: Refusals<T>): void;
  reject(error: unknown): void;
}

/**
 * Merges what many submit at once into few writes: while one group is written the next one gathers, so
 * a lone submission waits for nobody and a crowd shares its commits. A submission stays whole.
 */
export function createGroupCommit<T>(options: {
  write(items: T[]): Promise<Refusals<T>>;
  /** Items to aim at in one write. */
  groupSize: number;
  /** Items that may wait beside those being written. */
  maxWaiting: number;
  /** Writes under way at once. */
  writers: number;
}): GroupCommit<T> {
  const { write, groupSize, maxWaiting, writers } = options;
  const queue: Submission<T>[] = [];
  const writing = new Set<Promise<void>>();
  let waiting = 0;

  function takeGroup(): Submission<T>[] {
    let size = 0;
    let count = 0;
    while (count < queue.length && (count === 0 || size + (queue[count]?.items.length ?? 0) <= groupSize)) {
      size += queue[count]?.items.length ?? 0;
      count++;
    }
    waiting -= size;
    return queue.splice(0, count);
  }

  async function writeGroup(group: Submission<T>[]): Promise<void> {
    try {
      const refusals = await write(group.flatMap(({ items }) => items));
      for (const { resolve } of group) resolve(refusals);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  function pump(): void {
    while (queue.length > 0 && writing.size < writers) {
      const done = writeGroup(takeGroup()).then(() => {
        writing.delete(done);
        pump();
      });
      writing.add(done);
    }
  }

  return {
    submit(items) {
      if (waiting > 0 && waiting + items.length > maxWaiting) return null;
      return new Promise((resolve, reject) => {
        waiting += items.length;
        queue.push({ items, resolve, reject });
        pump();
      });
    },
    async drain() {
      while (writing.size > 0) await Promise.all(writing);
    },
  };
}
