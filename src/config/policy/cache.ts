import { z } from 'zod';
import { duration } from '../values.ts';

/** Which answers are kept and given again. */
export const cachePolicy = z.strictObject({
  mode: z
    .enum(['all', 'off'])
    .default('all')
    .describe('`all` keeps answers and gives them, `off` does neither.'),
  ttl: duration.prefault('24h').describe('How long an answer is kept.'),
});

export type CachePolicy = z.output<typeof cachePolicy>;
