import { type Reuse, reasons } from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map([['user', reasons.user]]),
  never: [],
  deterministic: () => true,
};
