import type { Reuse } from '../reuse.ts';

/** Of Converse and of InvokeModel. */
export const reuse: Reuse = {
  uncounted: new Map(),
  never: [
    {
      what: 'all',
      why: 'a signed request passes untouched, and its vendor’s own rules are not known here',
      holds: () => true,
    },
  ],
  deterministic: () => false,
};
