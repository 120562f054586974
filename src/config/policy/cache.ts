import { z } from 'zod';
import { duration, size } from '../values.ts';
import type { PolicyCheck } from './check.ts';

/** Which answers are kept and given again. */
export const cachePolicy = z.strictObject({
  mode: z
    .enum(['all', 'deterministic', 'shadow', 'off'])
    .default('all')
    .describe(
      '`all` keeps answers and gives them; `deterministic` only those to requests with temperature 0 or a seed; `shadow` keeps keys alone and counts what would have been hits; `off` does nothing.',
    ),
  ttl: duration.prefault('24h').describe('How long an answer is given again.'),
  max_bytes: size.prefault('256KiB').describe('A larger answer is not kept.'),
  models: z
    .array(z.string().min(1).max(256))
    .min(1)
    .prefault(['*'])
    .describe('Only answers of these models, as asked for; globs.'),
  share: z
    .enum(['credential', 'organization'])
    .default('credential')
    .describe(
      'Who gets an answer that was asked for with the application’s own credential: `credential`, who comes with the same one; `organization`, everyone of the organization, whatever the credential they come with. Calls with the provider’s key of the organization always share.',
    ),
  single_flight: z
    .boolean()
    .default(true)
    .describe('Equal calls at the same time make one call to the provider.'),
});

export type CachePolicy = z.output<typeof cachePolicy>;

export const checkCache: PolicyCheck = ({ policy: { cache } }, say) => {
  if (cache.ttl === 0 && cache.mode !== 'off')
    say.refuse(['cache', 'ttl'], 'nothing can be kept for no time; to keep nothing, set mode: off');
};
