import type { PoolClient } from 'pg';
import { units } from '../config/values.ts';
import { type Amount, amountOf, toDecimal } from '../usage/prices/decimal.ts';
import { type Context, type Draft, type Fact, type Finder, mostOf } from './recommendation.ts';
import { Shelf } from './shelf.ts';

/** How long answers could be kept; the shortest that catches nearly everything is recommended. */
const ttls = ['1h', '6h', '24h', '3d', '7d', '30d'] as const;
/** So much of what the longest saves is enough, in hundredths. */
const enough = 95n;
const batch = 10_000;

interface Row {
  id: string;
  cache_key: string;
  started_at: string;
  started_ms: number;
  ended_ms: number;
  cache: string;
  /** What it cost; of a hit, what that saved. */
  usd: string | null;
}

/** How a policy would treat these calls: how long answers are kept, and which of the calls are given them. */
interface Plan {
  ttlMs: number;
  label: string;
  counts: 'all' | 'expired' | 'bypass';
}

/** Repeated requests that were paid for again, though an answer could have been kept. */
export const repeatedRequests: Finder = async (context) => {
  const { cache } = context.policy;
  // `all` where answers are kept today; what shadow counts was paid for.
  const isOn = cache.mode !== 'off' && cache.mode !== 'shadow';
  const longer = ttls
    .map((label) => ({ label, ttlMs: duration(label) }))
    .filter(({ ttlMs }) => !isOn || ttlMs > cache.ttl);
  const plans: Plan[] = [
    ...longer.map((each) => ({ ...each, counts: isOn ? ('expired' as const) : ('all' as const) })),
    ...(isOn ? [{ label: 'bypass', ttlMs: cache.ttl, counts: 'bypass' as const }] : []),
  ];
  const range = isOn ? await sinceDecided(context) : context.range;
  const sums = await claimRepeats({ ...context, range }, plans, isOn ? cache.ttl : null);
  const byTtl = sums.slice(0, longer.length);
  const best = pick(byTtl);
  const drafts: Draft[] = [];
  const chosen = best === null ? undefined : longer[best];
  if (best !== null && chosen) {
    const claim = isOn ? 'cache-ttl' : 'cache-on';
    await keep(context.client, best, claim);
    drafts.push({
      claim,
      type: 'cache',
      title: isOn
        ? `Equal requests came again after the cache had forgotten their answers: keep them for ${chosen.label}`
        : `Equal requests were paid for again and again: turn the cache on, and keep answers for ${chosen.label}`,
      evidence: {
        why: isOn ? 'expired' : 'off',
        ...Object.fromEntries(
          longer.map(({ label }, index) => [`saved_with_ttl_${label}`, toDecimal(byTtl[index] ?? 0n)]),
        ),
      },
      groups: await keysOf(context.client, claim),
      patch: { cache: { ...(isOn ? {} : { mode: 'all' }), ttl: chosen.label } },
      advice: 'Who must have a new answer says x-weir-cache: refresh.',
    });
  }
  if (isOn) {
    await keep(context.client, plans.length - 1, 'cache-bypass');
    drafts.push({
      claim: 'cache-bypass',
      type: 'cache',
      title: 'Equal requests passed the cache by and were paid for again',
      evidence: { why: 'bypass' },
      groups: await keysOf(context.client, 'cache-bypass'),
      patch: null,
      advice:
        'Let these callers leave out x-weir-cache: bypass and Cache-Control: no-store or no-cache, or let the policy keep what they ask.',
    });
  }
  await context.client.query('DROP TABLE repeats');
  return drafts;
};

/** What was asked under another decision says nothing of this one. */
async function sinceDecided({ client, organization, range }: Context): Promise<Context['range']> {
  const { rows } = await client.query<{ at: Date | null }>(decided, [organization]);
  const at = rows[0]?.at ?? range.start;
  return { ...range, start: new Date(Math.max(at.getTime(), range.start.getTime())) };
}

const decided = `
  WITH versions AS (SELECT version, created_at, document->'cache' AS cache FROM policies WHERE organization = $1),
       present AS (SELECT cache FROM versions ORDER BY version DESC LIMIT 1)
  SELECT min(created_at) AS at FROM versions
   WHERE cache IS NOT NULL AND version > coalesce((
     SELECT max(version) FROM versions WHERE cache IS DISTINCT FROM (SELECT cache FROM present)), 0)`;

function duration(label: string): number {
  const [, count, unit] = /^(\d+)([hd])$/.exec(label) ?? [];
  return Number(count) * units[unit === 'd' ? 'd' : 'h'];
}

/** The shortest time that saves nearly all; null: none saves anything. */
function pick(sums: readonly Amount[]): number | null {
  const most = mostOf(sums);
  if (most === 0n) return null;
  return sums.findIndex((sum) => sum * 100n >= most * enough);
}

const repeated = (where: string) => `
  SELECT id, cache_key, started_at::text AS started_at, extract(epoch FROM started_at)::float8 * 1000 AS started_ms,
         extract(epoch FROM started_at)::float8 * 1000 + duration_ms AS ended_ms, cache,
         (CASE WHEN cache IN ('hit', 'coalesced') THEN saved_usd ELSE cost_usd + coalesce(tool_usd, 0) END)::text AS usd
    FROM calls
   WHERE ${where} AND cache_key IN (
           SELECT cache_key FROM calls WHERE ${where} GROUP BY cache_key HAVING count(*) > 1 AND sum(cost_usd) > 0)
   ORDER BY cache_key, calls.started_at, id`;
const answered = "cache_key IS NOT NULL AND outcome = 'completed' AND started_at >= $1";

/**
 * Goes through the calls of each key in their order, as a cache of each plan would have, and writes what each
 * plan saves of which call. Returns the sums by plan.
 */
async function claimRepeats(
  { client, range }: Context,
  plans: Plan[],
  ttlNow: number | null,
): Promise<Amount[]> {
  await client.query(
    'CREATE TEMP TABLE repeats (id uuid, started_at timestamptz, cache_key text, plan integer, saved numeric) ON COMMIT DROP',
  );
  await client.query(`DECLARE repeated NO SCROLL CURSOR FOR ${repeated(answered)}`, [range.start]);
  const sums = plans.map(() => 0n);
  const shelves = plans.map(({ ttlMs }) => new Shelf(ttlMs));
  const present = new Shelf(ttlNow ?? 0);
  let key = '';
  for (;;) {
    const { rows } = await client.query<Row>(`FETCH ${batch} FROM repeated`);
    const found: { row: Row; plan: number; saved: Amount }[] = [];
    for (const row of rows) {
      if (row.cache_key !== key) for (const shelf of [...shelves, present]) shelf.clear();
      key = row.cache_key;
      // Missed though it should have been there: no longer time would have brought it back.
      const isLost = row.cache !== 'bypass' && present.ask(row.started_ms, row.ended_ms);
      for (const [plan, shelf] of shelves.entries()) {
        const saved = savedBy(shelf, row, plans[plan]?.counts ?? 'all', isLost);
        if (saved === 0n) continue;
        sums[plan] = (sums[plan] ?? 0n) + saved;
        found.push({ row, plan, saved });
      }
    }
    if (found.length > 0) {
      await client.query(
        'INSERT INTO repeats SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::integer[], $5::numeric[])',
        [
          found.map(({ row }) => row.id),
          found.map(({ row }) => row.started_at),
          found.map(({ row }) => row.cache_key),
          found.map(({ plan }) => plan),
          found.map(({ saved }) => toDecimal(saved)),
        ],
      );
    }
    if (rows.length < batch) break;
  }
  await client.query('CLOSE repeated');
  return sums;
}

/** What a cache would have saved of one call; less than nothing where a hit would have been none. */
function savedBy(shelf: Shelf, row: Row, counts: Plan['counts'], isLost: boolean): Amount {
  const { cache, usd, started_ms, ended_ms } = row;
  const amount = amountOf(usd ?? '0');
  const passedBy = cache === 'bypass';
  if (counts === 'expired' && passedBy) return 0n;
  const isHit = shelf.ask(started_ms, ended_ms);
  if (counts === 'bypass') return passedBy && isHit ? amount : 0n;
  if (cache === 'hit' || cache === 'coalesced') return isHit ? 0n : -amount;
  return isHit && !(counts === 'expired' && isLost) ? amount : 0n;
}

async function keep(client: PoolClient, plan: number, claim: string): Promise<void> {
  await client.query('INSERT INTO claims SELECT $2, id, started_at, saved FROM repeats WHERE plan = $1', [
    plan,
    claim,
  ]);
}

/** The keys that would have saved the most, and what is asked under them. */
async function keysOf(client: PoolClient, claim: string): Promise<Record<string, Fact>[]> {
  const { rows } = await client.query<Record<string, Fact>>(
    `SELECT calls.cache_key, min(coalesce(model, requested_model)) AS model, min(operation) AS operation,
            min(workload) AS workload, min(api_key) AS api_key, count(*) AS calls,
            trim_scale(sum(saved))::text AS potential_savings_usd
       FROM claims JOIN calls USING (id, started_at)
      WHERE claim = $1 GROUP BY 1 ORDER BY sum(saved) DESC, 1 LIMIT 10`,
    [claim],
  );
  return rows;
}
