import { z } from 'zod';
import { duration, name, units, usd } from '../values.ts';
import { match, per } from './match.ts';

const budget = z
  .strictObject({
    name: name.describe('How errors and the API call the budget; each has its own.'),
    per: per
      .default('organization')
      .describe('Who has one each: organization, api_key, user, workload, model or `tag:<name>`.'),
    usd: usd
      .refine((text) => Number(text) > 0 && Number(text) <= 1e9, 'expected more than 0, at most 1000000000')
      .optional()
      .describe('USD in a period, or:'),
    tokens: z.int().positive().optional().describe('tokens in a period, in and out.'),
    period: z
      .enum(['hour', 'day', 'month'])
      .optional()
      .describe('By the calendar, in `timezone`; or, with `rolling`, the time before now.'),
    rolling: duration
      .refine((ms) => ms >= units.m && ms <= 366 * units.d, 'expected a duration from 1m to 366d')
      .optional()
      .describe('Such as `24h`; moves on in steps of a twenty-fourth.'),
    timezone: z
      .string()
      .refine(isTimezone, 'expected a time zone such as Europe/Berlin')
      .default('UTC')
      .describe('Where days and months begin.'),
    mode: z
      .enum(['hard', 'soft'])
      .default('hard')
      .describe('`hard` refuses what no longer fits, `soft` only tells.'),
    unpriced: z
      .enum(['deny', 'allow'])
      .default('deny')
      .describe(
        'Whether a hard budget in USD lets models pass that have no price; what they cost is not counted.',
      ),
    alert_at: z
      .array(z.int().min(1).max(1000))
      .prefault([80, 100])
      .describe('Percentages of the budget that are told of when they are reached.'),
    match: match.optional(),
  })
  .superRefine((value, context) => {
    if ((value.usd === undefined) === (value.tokens === undefined))
      context.addIssue({ code: 'custom', message: 'expected one of usd, tokens' });
    if ((value.period === undefined) === (value.rolling === undefined))
      context.addIssue({ code: 'custom', message: 'expected one of period, rolling' });
  });

function isTimezone(text: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: text }));
  } catch {
    return false;
  }
}

/** How much may be spent in a time. */
export const budgetsPolicy = z
  .array(budget)
  .refine(
    (list) => new Set(list.map((each) => each.name)).size === list.length,
    'every budget needs its own name',
  )
  .prefault([])
  .describe('A call counts against every budget that is about it.');

export type BudgetConfig = z.output<typeof budget>;
