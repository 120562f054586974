import { LRUCache } from 'lru-cache';
import type { Amount } from '../limits.ts';
import type { Sync, SyncReply, Truth } from './truth.ts';

/** Places that are remembered; one that is forgotten is summed up again with the next look at the ledger. */
const maxPlaces = 200_000;
const retryMs = 1_000;

interface Place {
  /** By `bucket|process`: what the process says, and what the ledger says. */
  told: Map<string, Amount>;
  ledger: Map<string, Amount>;
  alerts: Set<string>;
  lent: Amount;
}

/** Budgets of a process that has no other beside it: what it does not know of itself the ledger knows. */
export function createMemoryTruth(now: () => number): Truth {
  const places = new LRUCache<string, Place>({ max: maxPlaces });
  const budgets = new Map<string, { built: boolean; buildAt: number }>();
  const epoch = 'memory';

  /** Once in a while: what was begun may have failed. */
  function isDue(budget: { buildAt: number }): boolean {
    if (now() < budget.buildAt) return false;
    budget.buildAt = now() + retryMs;
    return true;
  }

  function placeAt(key: string, keptMs: number): Place {
    const place = places.get(key) ?? { told: new Map(), ledger: new Map(), alerts: new Set(), lent: 0n };
    places.set(key, place, { ttl: keptMs });
    return place;
  }

  function spentAt({ told, ledger }: Place, firstBucket: number): Amount {
    let sum = 0n;
    for (const key of new Set([...told.keys(), ...ledger.keys()])) {
      if (Number.parseInt(key, 10) < firstBucket) continue;
      const [said, seen] = [told.get(key) ?? 0n, ledger.get(key) ?? 0n];
      sum += said > seen ? said : seen;
    }
    return sum;
  }

  function sync(sync: Sync): SyncReply {
    const { key, budgetKey, process, held, need, limit } = sync;
    const budget = budgets.get(budgetKey) ?? { built: false, buildAt: 0 };
    budgets.set(budgetKey, budget);
    const build = !budget.built && isDue(budget);
    const place = placeAt(key, sync.keptMs);
    const own = new Map<number, Amount>();
    if (sync.epoch !== epoch) {
      for (const [name, amount] of place.told) {
        if (name.endsWith(`|${process}`)) own.set(Number.parseInt(name, 10), amount);
      }
    }
    for (const [bucket, amount] of sync.spent) place.told.set(`${bucket}|${process}`, amount);
    const spent = spentAt(place, sync.firstBucket);
    const free = limit - spent - held;
    const all = sync.more && free > need ? need + sync.mostLent : need;
    const granted = budget.built ? between(0n, all, free) : 0n;
    place.lent = held + granted;
    return {
      kind: 'ok',
      epoch,
      opensInMs: budget.built ? 0 : null,
      build,
      granted,
      spent,
      lent: place.lent,
      own,
    };
  }

  return {
    isAlone: true,
    sync: async (asked) => sync(asked),
    async watch(budgetKey) {
      const budget = budgets.get(budgetKey);
      return { epoch: budget ? epoch : '', build: budget?.built === true && isDue(budget) };
    },
    async restore({ key, keptMs }, kept, sums) {
      const place = placeAt(key, keptMs);
      place.ledger = new Map(sums.map(({ bucket, process, amount }) => [`${bucket}|${process}`, amount]));
      for (const name of place.told.keys()) {
        if (!kept.includes(name.slice(name.indexOf('|') + 1))) place.told.delete(name);
      }
    },
    async built(budgetKey, _epoch, againInMs) {
      budgets.set(budgetKey, { built: true, buildAt: now() + againInMs });
    },
    async forget(budgetKey) {
      budgets.delete(budgetKey);
    },
    async read(keys, firstBucket) {
      return keys.map((key) => {
        const place = places.peek(key);
        return place ? { spent: spentAt(place, firstBucket), lent: place.lent } : null;
      });
    },
    async tell(key, what) {
      const alerts = places.peek(key)?.alerts;
      if (!alerts || alerts.has(what)) return false;
      alerts.add(what);
      return true;
    },
  };
}

function between(least: Amount, wanted: Amount, most: Amount): Amount {
  if (most <= least || wanted <= least) return least;
  return wanted < most ? wanted : most;
}
