import { z } from 'zod';
import { duration, name, units } from '../values.ts';

const limit = z.strictObject({
  name: name.describe('How errors call the limit; each has its own.'),
  per: z.enum(['ip', 'organization']).describe('What is counted apart.'),
  requests: z.int().positive().describe('Requests allowed in a window.'),
  // Redis counts in seconds; in memory a timer ends the window, and timers run 24 days at most.
  window: duration
    .refine(
      (ms) => ms >= units.s && ms <= 24 * units.d && ms % units.s === 0,
      'expected a window of whole seconds, from 1s to 24d',
    )
    .describe('Length of a window, which begins with its first request.'),
});

/** How much may be asked for in a time. */
export const limitsPolicy = z
  .array(limit)
  .refine(
    (list) => new Set(list.map((each) => each.name)).size === list.length,
    'every limit needs its own name',
  )
  .prefault([
    { name: 'per-ip', per: 'ip', requests: 100, window: '1m' },
    { name: 'per-organization', per: 'organization', requests: 1000, window: '1h' },
  ])
  .describe('Each call counts against all of them; `[]` turns limits off.');

export type LimitConfig = z.output<typeof limit>;
