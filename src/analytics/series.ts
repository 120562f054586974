import type { Pool } from '../db/pool.ts';
import type { BreakdownQuery, BreakdownRow, Interval } from './breakdown.ts';

/** Where the intervals of a range begin, by the clock of the time zone. */
async function beginnings(
  pool: Pool,
  { range, zone }: Pick<BreakdownQuery, 'range' | 'zone'>,
  interval: Interval,
): Promise<Date[]> {
  const last = `($2::timestamptz - interval '1 microsecond')`;
  // Hours are steps of time: where the clock is set back one is there twice. Some zones set theirs by half an
  // hour. Days, weeks and months are steps of the calendar.
  const steps =
    interval === 'hour'
      ? `SELECT DISTINCT date_trunc($4, step, $3) FROM generate_series($1::timestamptz, ${last}, interval '30 minutes') AS step`
      : `SELECT step AT TIME ZONE $3 FROM generate_series(date_trunc($4, $1::timestamptz AT TIME ZONE $3),
           ${last} AT TIME ZONE $3, ('1 ' || $4)::interval) AS step`;
  const { rows } = await pool.query<{ at: Date }>(`SELECT at FROM (${steps}) AS steps(at) ORDER BY at`, [
    range.start,
    range.end,
    zone,
    interval,
  ]);
  return rows.map(({ at }) => at);
}

const zeros = {
  calls: 0,
  hits: 0,
  coalesced: 0,
  errors: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_tokens: 0,
  cost_usd: '0',
  tool_usd: null,
  saved_usd: null,
  baseline_usd: '0',
  unpriced: 0,
  p50_ms: null,
  p95_ms: null,
} satisfies Omit<BreakdownRow, 'group' | 'time'>;

/** The rows of a series with all intervals of each of the first `limit` groups, in the order of time. */
export async function fillSeries(
  pool: Pool,
  rows: BreakdownRow[],
  query: BreakdownQuery,
): Promise<BreakdownRow[]> {
  if (!query.interval) return rows;
  const times = await beginnings(pool, query, query.interval);
  const groups = Map.groupBy(rows, ({ group }) => JSON.stringify(Object.values(group)));
  if (groups.size === 0 && query.groupBy.length === 0) groups.set('[]', []);
  const ranked = [...groups.values()].sort((a, b) => total(b, query) - total(a, query));
  return ranked.slice(0, query.limit).flatMap((members) => {
    const byTime = new Map(members.map((row) => [row.time?.getTime(), row]));
    const group = members[0]?.group ?? {};
    return times.map((time) => byTime.get(time.getTime()) ?? { ...zeros, group, time });
  });
}

/** By what groups are put in order; to a float's precision, which is enough for that. */
function total(rows: BreakdownRow[], { order }: BreakdownQuery): number {
  const field = { cost: 'cost_usd', saved: 'saved_usd' } as const;
  const name = order === 'cost' || order === 'saved' ? field[order] : order;
  return rows.reduce((sum, row) => sum + Number(row[name] ?? 0), 0);
}
