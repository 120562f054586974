import { randomBytes } from 'node:crypto';
import type { Asker } from '../asker.ts';
import { defineBudgetScripts } from './scripts.ts';
import { leaseMs, type PlaceState, type SyncReply, type Truth } from './truth.ts';

/** After a budget was found unknown, processes tell for so long what they hold; they look twice in that time. */
const graceMs = 1_000;
/** One process sums a budget up; after so long another may try. */
const buildMs = 10_000;
/** A budget that nobody uses is forgotten, and summed up anew when it is used. */
const forgottenMs = 40 * 24 * 3_600_000;

/** Budgets in Redis, which all processes share. */
export function createRedisTruth(redis: Asker): Truth {
  const { client } = redis;
  defineBudgetScripts(client);

  return {
    isAlone: false,
    async sync(sync): Promise<SyncReply> {
      const reply = await redis.ask(() =>
        client.weirBudgetSync(
          sync.key,
          sync.budgetKey,
          sync.process,
          sync.sequence,
          sync.acknowledged,
          sync.epoch,
          String(sync.held),
          String(sync.need),
          sync.more ? '1' : '0',
          String(sync.limit),
          String(sync.mostLent),
          sync.sharers,
          sync.firstBucket,
          sync.keptMs,
          leaseMs,
          randomBytes(6).toString('base64url'),
          graceMs,
          buildMs,
          ...[...sync.spent].flatMap(([bucket, amount]) => [bucket, String(amount)]),
        ),
      );
      const [kind, epoch, opens, build, granted, spent, lent, ...own] = reply.map(String);
      if (kind !== 'ok') return { kind: kind === 'lost' ? 'lost' : 'stale' };
      return {
        kind: 'ok',
        epoch: epoch ?? '',
        opensInMs: Number(opens) < 0 ? null : Number(opens),
        build: build === '1',
        granted: BigInt(granted ?? 0),
        spent: BigInt(spent ?? 0),
        lent: BigInt(lent ?? 0),
        own: greatest(own),
      };
    },
    async watch(budgetKey) {
      const [epoch, build] = await redis.ask(() => client.weirBudgetWatch(budgetKey, buildMs));
      return { epoch, build: build === 1 };
    },
    async restore({ key, budgetKey, epoch, keptMs }, kept, sums) {
      const rows = sums.flatMap(({ bucket, process, amount }) => [bucket, process, String(amount)]);
      await redis.ask(() =>
        client.weirBudgetRestore(key, budgetKey, epoch, keptMs, kept.length, ...kept, ...rows),
      );
    },
    async built(budgetKey, epoch, againInMs) {
      await redis.ask(() => client.weirBudgetBuilt(budgetKey, epoch, againInMs, forgottenMs));
    },
    async forget(budgetKey, epoch) {
      await redis.ask(() => client.weirBudgetForget(budgetKey, epoch));
    },
    async read(keys, firstBucket) {
      const now = Date.now();
      const hashes = await redis.ask(() => Promise.all(keys.map((key) => client.hgetall(key))));
      return hashes.map((fields) => stateOf(fields, firstBucket, now));
    },
    tell: async (key, what) => (await redis.ask(() => client.hsetnx(key, `a|${what}`, '1'))) === 1,
  };
}

/** Bucket and amount in pairs: the greatest amount of each bucket. */
function greatest(pairs: readonly string[]): Map<number, bigint> {
  const found = new Map<number, bigint>();
  for (let at = 0; at < pairs.length; at += 2) {
    const [bucket, amount] = [Number(pairs[at]), BigInt(pairs[at + 1] ?? 0)];
    if (amount > (found.get(bucket) ?? 0n)) found.set(bucket, amount);
  }
  return found;
}

/** A place as the script sums it up, but exact; null: nothing is there. */
function stateOf(fields: Record<string, string>, firstBucket: number, now: number): PlaceState | null {
  const spent = new Map<string, bigint>();
  let lent = 0n;
  for (const [name, value] of Object.entries(fields)) {
    const [, kind, rest = ''] = /^([a-z])\|(.*)$/s.exec(name) ?? [];
    if (kind === 'l' && Number(fields[`x|${rest}`] ?? 0) > now) lent += BigInt(value);
    if ((kind !== 'r' && kind !== 'g') || Number.parseInt(rest, 10) < firstBucket) continue;
    const amount = BigInt(value);
    if (amount > (spent.get(rest) ?? 0n)) spent.set(rest, amount);
  }
  const sum = [...spent.values()].reduce((total, each) => total + each, 0n);
  return Object.keys(fields).length === 0 ? null : { spent: sum, lent };
}
