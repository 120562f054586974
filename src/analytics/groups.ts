import type { Parameters } from './usage-query.ts';

/** What can be grouped by, and how it stands in bookings. */
const columns = {
  model: 'coalesce(model, requested_model)',
  requested_model: 'requested_model',
  provider: 'provider',
  user: 'end_user',
  api_key: 'api_key',
  workload: 'workload',
  // `cluster/namespace/service-account`
  cluster: "split_part(workload, '/', 1)",
  namespace: "split_part(workload, '/', 2)",
  operation: 'operation',
  cache: 'cache',
  outcome: 'outcome',
  complexity: 'complexity',
  purpose: 'purpose',
} as const;

/** Of the clock in the time zone: the hour of the day, and the date. */
const clock = {
  hour: (time: string) => `to_char(${time}, 'HH24')`,
  day: (time: string) => `to_char(${time}, 'YYYY-MM-DD')`,
} as const;

export const groupNames = [...Object.keys(columns), ...Object.keys(clock), 'tag:<name>'];

/** `model`, `hour`, or `tag:team`. */
export function isGroup(name: string): boolean {
  return name in columns || name in clock || /^tag:[\w.-]{1,64}$/.test(name);
}

/** The SQL of a group that `isGroup` knows. */
export function groupSql(name: string, zone: string, parameters: Parameters): string {
  if (isTag(name)) return `call_tags->>${parameters.add(name.slice(4))}`;
  if (isClock(name)) return clock[name](`started_at AT TIME ZONE ${parameters.add(zone)}`);
  return columns[name as keyof typeof columns];
}

/** Whether a group is one of a tag's values. */
export const isTag = (name: string) => name.startsWith('tag:');

/** Whether a group depends on the time zone. */
export function isClock(name: string): name is keyof typeof clock {
  return name in clock;
}
