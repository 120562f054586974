/**
 * Milliseconds to three digits, so that equal ones can be counted: half a percent at most, and what sorting millions
 * of calls costs is saved. Counting is done in parallel, sorting for percentile_cont never is.
 */
const rounded = (column: string) => `CASE
    WHEN ${column} < 100 THEN round(${column} * 10) / 10
    WHEN ${column} < 1000 THEN round(${column})
    WHEN ${column} < 10000 THEN round(${column} / 10) * 10
    WHEN ${column} < 100000 THEN round(${column} / 100) * 100
    ELSE round(${column} / 1000) * 1000 END`;

/**
 * Calls counted by what they took, for a FROM: by `keys` (expressions; they become k0, k1 …), with `ms`, how many calls
 * took it (`n`), how many took as long or less (`upto`), and all of the group (`total`). `worth` is summed up beside.
 */
export function timesOf(
  column: 'duration_ms' | 'first_chunk_ms',
  { from, keys, worth }: { from: string; keys: readonly string[]; worth: string },
): string {
  const names = keys.map((_, index) => `k${index}`);
  const columns = [...keys.map((sql, index) => `${sql} AS k${index}`), `${rounded(column)} AS ms`];
  const partition = names.length > 0 ? `PARTITION BY ${names.join(', ')}` : '';
  return `(SELECT *, sum(n) OVER (${partition} ORDER BY ms) AS upto, sum(n) OVER (${partition}) AS total
      FROM (SELECT ${columns.join(', ')}, count(*) AS n, ${worth} AS worth FROM ${from} AND ${column} IS NOT NULL
             GROUP BY ${columns.map((_, index) => index + 1).join(', ')}) AS counted) AS times`;
}

/** A percentile of `timesOf`, between the two calls next to it, as percentile_cont has it. */
export function percentile(share: number): string {
  const rank = `${share} * (total - 1)`;
  const at = (place: string) => `min(ms) FILTER (WHERE upto > ${place}(${rank}))`;
  return `(${at('floor')} + (${at('ceil')} - ${at('floor')}) * (min(${rank}) - floor(min(${rank}))))::float8`;
}
