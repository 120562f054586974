import { labelsAndTransport } from '../openai/reuse.ts';
import { type Reuse, zeroOrSeed } from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map(labelsAndTransport),
  never: [],
  deterministic: zeroOrSeed,
};
