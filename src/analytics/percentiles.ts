/** Shares of calls by name: `{ p50_ms: 0.5 }`. */
export type Points = Record<string, number>;

/**
 * Percentiles of a column of milliseconds, a row for each of the keys (names of columns of `from`), by their SQL's
 * `percentile_cont` over whole milliseconds: PostgreSQL sorts every call for that one, in one process, and counts calls
 * of the same duration in several.
 */
export function percentilesSql(
  {
    from,
    where,
    column,
    keys,
  }: { from: string; where: string; column: string; keys: readonly (readonly [sql: string, name: string])[] },
  points: Points,
): string {
  const names = keys.map(([, name]) => name);
  const columns = keys.map(([sql, name]) => `${sql} AS ${name}`);
  const partition = names.length > 0 ? `PARTITION BY ${names.join(', ')}` : '';
  const values = Object.entries(points).map(([name, share]) => `${valueAt(share)} AS ${name}`);
  return `
    SELECT ${[...names, ...values].join(', ')} FROM (
      SELECT *, sum(calls) OVER (${partition} ORDER BY ms) AS upto, sum(calls) OVER (${partition}) AS total FROM (
        SELECT ${[...columns, `round(${column}) AS ms`, 'count(*) AS calls'].join(', ')}
          FROM ${from} WHERE ${where} AND NOT adjusts AND ${column} IS NOT NULL
         GROUP BY ${[...names, 'ms'].map((_, index) => index + 1).join(', ')}
      ) AS counted
    ) AS summed
    ${names.length > 0 ? `GROUP BY ${names.join(', ')}` : ''}`;
}

/** Between the two calls that the share falls between. */
function valueAt(share: number): string {
  const place = `${share} * (total - 1)`;
  const at = (round: string) => `min(ms) FILTER (WHERE upto > ${round}(${place}))`;
  const rest = `(max(${place}) - floor(max(${place})))::double precision`;
  return `${at('floor')} + ${rest} * (${at('ceil')} - ${at('floor')})`;
}
