import { z } from 'zod';
import { isDate, readRange, type TimeRange } from '../../analytics/dates.ts';
import { type CallFilter, filterNames } from '../../analytics/usage-query.ts';
import { isTimeZone } from '../../analytics/zone.ts';
import { readTags } from '../../exchange/tags.ts';
import { Problem } from '../problem.ts';

const date = z
  .string()
  .refine(isDate, 'expected a day such as 2026-11-23, or an instant such as 2026-11-23T10:00:00Z');
const text = z.string().min(1).max(500).optional();

export const money = z.string().nullable().describe('USD, decimal; null: not known');
export const count = z.int();

/** Which calls are meant: a range of time, and what they have in common. */
export const callsQuery = {
  start_date: date.optional().describe('From this day or instant on; default: 30 days before the end.'),
  end_date: date.optional().describe('Up to this day, with all its hours, or this instant; default: now.'),
  timezone: z
    .string()
    .refine(isTimeZone, 'expected a time zone such as Europe/Berlin')
    .default('UTC')
    .describe('Whose days and hours are meant.'),
  ...(Object.fromEntries(filterNames.map((name) => [name, text])) as Record<
    (typeof filterNames)[number],
    typeof text
  >),
  tags: text.describe('`team=search,env=prod`: calls with all of these.'),
};

type CallsQuery = z.output<z.ZodObject<typeof callsQuery>>;

/** The time that a query means; throws a Problem when it can mean none. `now`: epoch milliseconds. */
export function rangeOf(
  query: Partial<Pick<CallsQuery, 'start_date' | 'end_date' | 'timezone'>>,
  now: number,
): TimeRange {
  const range = readRange({ start: query.start_date, end: query.end_date }, now, query.timezone);
  if (range.start >= range.end)
    throw new Problem(400, 'invalid_parameter', 'start_date: expected a time before end_date');
  return range;
}

/** The calls that a query means; throws a Problem when it can mean none. */
export function callsOf(query: CallsQuery, now: number): { range: TimeRange; filter: CallFilter } {
  const own = Object.fromEntries(filterNames.map((name) => [name, query[name]]));
  return { range: rangeOf(query, now), filter: { ...own, tags: readTags(query.tags) } };
}
