import { condition, Parameters } from '../analytics/usage-query.ts';
import { type Amount, amountOf, toDecimal } from '../usage/prices/decimal.ts';
import {
  type Context,
  type Draft,
  type Finder,
  hasEntry,
  mostOf,
  nameOf,
  paid,
  withEntry,
} from './recommendation.ts';

/** A day is held against so many before it, and needs at least so many to be. */
const history = { most: 14, least: 7 };
/** So many times the dearest of them is wild. */
const wild = 3n;
/** And so many times leaves room enough. */
const room = 2n;
const cent = amountOf('0.01');
const historyMs = history.most * 86_400_000;

interface Day {
  workload: string;
  /** Of the clock in the time zone. */
  day: string;
  /** Days since 1970. */
  number: number;
  cost: string;
}

/** Workloads that have spent in a day far more than in any day of the two weeks before. */
export const spendAnomaly: Finder = async (context) => {
  const start = new Date(context.range.start.getTime() - historyMs);
  const parameters = new Parameters();
  const where = condition(parameters, {
    organization: context.organization,
    range: { ...context.range, start },
    filter: {},
  });
  const day = `(started_at AT TIME ZONE ${parameters.add(context.zone)})::date`;
  const { rows } = await context.client.query<Day>(
    `SELECT workload, ${day}::text AS day, ${day} - date '1970-01-01' AS number, sum(cost_usd)::text AS cost
       FROM (SELECT workload, date_bin('15 minutes', started_at, timestamptz 'epoch') AS started_at, sum(cost_usd) AS cost_usd
               FROM usage WHERE ${where} AND purpose IS NULL AND ${paid} AND workload IS NOT NULL GROUP BY 1, 2) AS quarters
      GROUP BY 1, 2, 3 ORDER BY 1, 3`,
    parameters.values,
  );
  const drafts: Draft[] = [];
  for (const [workload, days] of Map.groupBy(rows, (row) => row.workload))
    drafts.push(...(await wildDays(context, workload, days)));
  return drafts;
};

async function wildDays(context: Context, workload: string, days: Day[]): Promise<Draft[]> {
  const quiet: { number: number; cost: Amount }[] = [];
  const found: { day: string; usual: Amount; cost: Amount }[] = [];
  const first = days[0]?.number ?? 0;
  for (const { day, number, cost: text } of days) {
    const cost = amountOf(text);
    const lately = quiet.filter((each) => each.number >= number - history.most);
    const usual = mostOf(lately.map((each) => each.cost));
    if (number - first >= history.least && usual > 0n && cost > wild * usual)
      found.push({ day, usual, cost });
    else quiet.push({ number, cost });
  }
  if (found.length === 0) return [];
  const claim = nameOf('daily', workload);
  if (hasEntry(context, 'budgets', claim)) return [];
  const dearest = mostOf(found.map(({ usual }) => usual));
  const cap = toDecimal(((room * dearest + cent - 1n) / cent) * cent);
  for (const { day } of found) await claimBeyond(context, { claim, workload, day, cap });
  const budget = {
    name: claim,
    usd: cap,
    period: 'day',
    timezone: context.zone,
    match: { workloads: [workload] },
  };
  return [
    {
      claim,
      type: 'spend_anomaly',
      title: `${workload} spent far more in a day than it ever did in two weeks: give it a budget of ${cap} USD a day`,
      evidence: { workload, days: found.length },
      groups: found.map(({ day, usual, cost }) => ({
        day,
        cost_usd: toDecimal(cost),
        dearest_of_the_days_before_usd: toDecimal(usual),
      })),
      patch: withEntry(context, 'budgets', budget),
      advice: 'The budget refuses what no longer fits; with mode: soft it only tells.',
    },
  ];
}

/** Of the calls of a day, in their order, what is beyond the budget. */
async function claimBeyond(
  context: Context,
  { claim, workload, day, cap }: { claim: string; workload: string; day: string; cap: string },
): Promise<void> {
  const parameters = new Parameters();
  const value = (each: unknown) => parameters.add(each);
  const budget = `${value(cap)}::numeric`;
  await context.client.query(
    `INSERT INTO claims
     SELECT ${value(claim)}, id, started_at, least(cost_usd, spent - ${budget})
       FROM (SELECT id, started_at, cost_usd, sum(cost_usd) OVER (ORDER BY started_at, id) AS spent
               FROM calls WHERE ${paid} AND workload = ${value(workload)}
                AND (started_at AT TIME ZONE ${value(context.zone)})::date = ${value(day)}::date) AS day
      WHERE spent > ${budget}`,
    parameters.values,
  );
}
