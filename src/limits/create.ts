import type { Logger } from 'pino';
import type { LimitConfig } from '../config/policy/limits.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createAsker } from './asker.ts';
import { createBudgets } from './budgets/budgets.ts';
import type { SpendingLedger } from './budgets/ledger.ts';
import { createMemoryTruth } from './budgets/memory.ts';
import { createRedisTruth } from './budgets/redis.ts';
import type { Counted } from './counted.ts';
import { type Check, decide, refused, tooMuch } from './decide.ts';
import { createEstimates } from './estimates.ts';
import type { LimitedCall, Limits } from './limits.ts';
import { createProcesses } from './processes.ts';
import { createRequestWindows } from './requests.ts';
import { createRunningCalls } from './running.ts';
import { hashTag, isAbout, subjectHash, subjectOf } from './subject.ts';
import { createTokenWindows } from './tokens.ts';

/**
 * Limits and budgets. A call counts against all that are about it; but where a window is known to be used up, or
 * any of them refuses, it counts against none: a client that runs into its own limit does not eat up one that
 * it shares.
 */
export function createLimits(options: {
  redis: RedisConnection | null;
  /** The ledger, from which budgets are summed up. */
  ledger: SpendingLedger;
  /** Processes that there are at least. */
  processes: number;
  now: () => number;
  log: Logger;
}): Limits & { start(): Promise<void>; stop(): Promise<void> } {
  const { ledger, now, log } = options;
  const redis = options.redis && createAsker(options.redis);
  const processes = createProcesses(options.redis, options.processes);
  const requests = createRequestWindows(redis, processes);
  const tokens = createTokenWindows(redis, processes);
  const running = createRunningCalls(redis, processes);
  const truth = redis ? createRedisTruth(redis) : createMemoryTruth(now);
  const budgets = createBudgets({ truth, processes, ledger, now, log });

  function count(limit: LimitConfig, key: string, call: LimitedCall): Promise<Counted> | null {
    if (limit.requests !== undefined) return requests.count(limit, key);
    if (limit.tokens !== undefined && call.asks) return tokens(limit, key, call.asks.tokens);
    if (limit.concurrent !== undefined && call.asks) return running.enter(limit, key, call.id);
    return null;
  }

  return {
    process: processes.id,
    estimates: createEstimates(ledger.history),
    async admit(policy, call) {
      const about = policy.limits.filter(({ match }) => isAbout(match, call));
      const [inForce, inShadow] = [about.filter((each) => !each.shadow), about.filter((each) => each.shadow)];
      for (const limit of inForce) {
        const denial = tooMuch(limit, call);
        if (denial) return refused(denial);
      }
      const keyed = about.map((limit) => ({ limit, key: keyOf(limit, call) }));
      const closed = keyed
        .map(({ limit, key }) => (limit.requests && !limit.shadow ? requests.usedUp(limit, key) : null))
        .filter((state) => state !== null)
        .toSorted((a, b) => b.resetMs - a.resetMs);
      if (closed[0]) return refused({ kind: 'limit', state: closed[0], never: false });

      // All begin in this tick: over Redis they are one round trip.
      const counting = keyed.flatMap(({ limit, key }) => {
        const counted = count(limit, key, call);
        return counted ? [counted.then((each): Check => ({ ...each, limit }))] : [];
      });
      const reserving = call.mayCost ? budgets.reserve(policy.budgets, call) : [];
      const checks = await Promise.all(counting);
      const reservations = await Promise.all(reserving);
      const tooMuchInShadow = inShadow.filter((limit) => tooMuch(limit, call)).map(({ name }) => name);
      return decide(checks, reservations, tooMuchInShadow);
    },
    async start() {
      running.start();
      budgets.start();
      await processes.start();
    },
    async stop() {
      await budgets.stop();
      running.stop();
      processes.stop();
    },
  };
}

function keyOf({ name, per }: LimitConfig, call: LimitedCall): string {
  return `${hashTag(call.organization)}:${name}:${subjectHash(per, subjectOf(per, call))}`;
}
