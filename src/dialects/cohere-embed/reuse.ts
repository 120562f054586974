import type { Reuse } from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map([['priority', 'the place in the queue']]),
  never: [],
  deterministic: () => true,
};
