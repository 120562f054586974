import { fetches } from '../gemini-generate/reuse.ts';
import { type Reuse, whys } from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map(),
  never: [
    {
      what: 'files by address, other than of the Files API',
      why: whys.fetched,
      holds: ({ content, requests, instances }) => fetches([content, requests, instances]),
    },
  ],
  deterministic: () => true,
};
