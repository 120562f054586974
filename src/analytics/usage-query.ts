import { type Pool, withConnection } from '../db/pool.ts';
import type { TimeRange } from './dates.ts';

/** What a call can be narrowed down by: the name of the parameter, and how it stands in a row of usage. */
export const filters = {
  provider: 'provider =',
  model: 'coalesce(model, requested_model) =',
  user: 'end_user =',
  api_key: 'api_key =',
  workload: 'workload =',
  operation: 'operation =',
  outcome: 'outcome =',
  cache: 'cache =',
} as const;
export type FilterName = keyof typeof filters;
export const filterNames = Object.keys(filters) as [FilterName, ...FilterName[]];

/** Which calls are meant. */
export interface CallFilter extends Partial<Record<FilterName, string | undefined>> {
  /** Values by name. */
  tags?: Record<string, string>;
}

/** Whether tags are looked at. */
export const isByTag = ({ tags }: CallFilter) => Object.keys(tags ?? {}).length > 0;

/** Parameters of a statement as they are needed. */
export class Parameters {
  readonly values: unknown[] = [];

  /** `$1`, `$2` … for a value. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** The condition for the bookings of one organization in a range of time. */
export function condition(
  parameters: Parameters,
  { organization, range, filter }: { organization: string; range: TimeRange; filter: CallFilter },
): string {
  const terms = [
    `organization = ${parameters.add(organization)}`,
    `started_at >= ${parameters.add(range.start)}`,
    `started_at < ${parameters.add(range.end)}`,
    ...filterNames.flatMap((name) => {
      const value = filter[name];
      return value === undefined ? [] : [`${filters[name]} ${parameters.add(value)}`];
    }),
    ...Object.entries(filter.tags ?? {}).map(
      ([name, value]) => `call_tags->>${parameters.add(name)} = ${parameters.add(value)}`,
    ),
  ];
  return terms.join(' AND ');
}

/** Asks with settings for sums over many rows: compiling takes longer than it saves, sorts fit into memory. */
export async function parallel<Row extends object>(
  pool: Pool,
  sql: string,
  values: unknown[],
): Promise<Row[]> {
  return withConnection(pool, async (client) => {
    await client.query(begin);
    const { rows } = await client.query<Row>(sql, values);
    await client.query('COMMIT');
    return rows;
  });
}
const begin = "BEGIN READ ONLY; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'";
