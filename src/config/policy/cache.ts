import { z } from 'zod';
import { duration } from '../values.ts';
import type { PolicyCheck } from './check.ts';

/** Which answers are kept and given again. */
export const cachePolicy = z.strictObject({
  mode: z
    .enum(['all', 'off'])
    .default('all')
    .describe('`all` keeps answers and gives them, `off` does neither.'),
  ttl: duration.prefault('24h').describe('How long an answer is kept.'),
});

export type CachePolicy = z.output<typeof cachePolicy>;

export const checkCache: PolicyCheck = ({ policy: { cache } }, say) => {
  if (cache.ttl === 0 && cache.mode !== 'off')
    say.refuse(['cache', 'ttl'], 'nothing can be kept for no time; to keep nothing, set mode: off');
};
