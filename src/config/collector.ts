import { z } from 'zod';
import { duration } from './values.ts';

/** What the collector takes beside weir's own usage. */
export const collectorConfig = z.strictObject({
  traces: z
    .boolean()
    .default(false)
    .describe(
      'Whether spans of others are kept, for GET /analytics/traces/<trace id>. Calls of models that they tell of become usage in any case. Prompts and answers in them are left out.',
    ),
  traces_kept: duration.prefault('7d').describe('How long spans of others are kept.'),
});
