import { z } from 'zod';
import { duration, name, size, units } from '../values.ts';
import { match, perAddress } from './match.ts';

const kinds = ['requests', 'tokens', 'concurrent', 'max_request_bytes', 'max_output_tokens'] as const;

const limit = z
  .strictObject({
    name: name.describe('How errors call the limit; each has its own.'),
    per: perAddress
      .default('organization')
      .describe(
        'Whose calls are counted together: ip, organization, api_key, user, workload, model or `tag:<name>`.',
      ),
    requests: z.int().positive().optional().describe('Requests allowed in a window.'),
    tokens: z
      .int()
      .positive()
      .optional()
      .describe('Tokens allowed in a window, in and out: estimated before a call, corrected after it.'),
    concurrent: z.int().positive().optional().describe('Calls that may run at a time.'),
    max_request_bytes: size.optional().describe('The largest request body.'),
    max_output_tokens: z
      .int()
      .positive()
      .optional()
      .describe(
        'The most that a request may ask for as its maximum of output tokens; one that names none is refused.',
      ),
    // Redis counts in seconds; in memory a timer ends the window, and timers run 24 days at most.
    window: duration
      .refine(
        (ms) => ms >= units.s && ms <= 24 * units.d && ms % units.s === 0,
        'expected a window of whole seconds, from 1s to 24d',
      )
      .optional()
      .describe('Of requests or tokens: length of a window, which begins with its first request.'),
    match: match.optional(),
    shadow: z.boolean().optional().describe('Counts and reports, and refuses nothing.'),
  })
  .superRefine((value, context) => {
    const given = kinds.filter((kind) => value[kind] !== undefined);
    const [kind] = given;
    if (!kind || given.length > 1) {
      context.addIssue({ code: 'custom', message: `expected one of ${kinds.join(', ')}` });
      return;
    }
    const windowed = kind === 'requests' || kind === 'tokens';
    if (windowed && value.window === undefined)
      context.addIssue({ code: 'custom', path: ['window'], message: `missing: ${kind} are counted in one` });
    if (!windowed && value.window !== undefined)
      context.addIssue({ code: 'custom', path: ['window'], message: `${kind} knows no window` });
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
  .describe(
    'Each call counts against all of them; `[]` turns limits off. A limit is one of requests, tokens, concurrent, max_request_bytes, max_output_tokens.',
  );

export type LimitConfig = z.output<typeof limit>;
