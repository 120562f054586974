import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '../redis/connection.ts';
import type { Pace } from './candidates.ts';

/** Weight of the newest call. */
const newest = 0.2;
/** What nobody has measured for so long is forgotten. */
const keptMs = 10 * 60_000;
/** How often processes tell each other. */
const shareEveryMs = 2_000;
/** Models that are remembered at most. */
const maxModels = 2_000;
/** Failures in a row after which a model is left alone, and for how long. */
const failuresToRest = 3;
const restMs = 30_000;
const key = 'weir:paces';

/** One call that has ended. */
export interface Measured {
  provider: string;
  model: string;
  stream: boolean;
  /** The provider answered well; else it was away, overloaded or out of order. */
  good: boolean;
  firstMs: number;
  durationMs: number;
  outputTokens: number;
}

interface Known extends Pace {
  at: number;
}

/** How fast models are and whether they answer, from live traffic. */
export interface Paces {
  of(provider: string, model: string): Pace | null;
  /** Why a model is left alone for now; null: it is well. */
  ailing(provider: string, model: string): string | null;
  /** A model is left alone for so long, as its provider asks. */
  rest(provider: string, model: string, ms: number): void;
  learn(call: Measured): void;
  stop(): Promise<void>;
}

/**
 * Averages that weigh the newest call by a fifth. Over Redis each process has fields of its own in one hash and
 * reads those of the others every two seconds, off every call's way; what several measured is averaged by calls.
 */
export function createPaces(redis: RedisConnection | null, now: () => number): Paces {
  const me = randomUUID();
  const own = new Map<string, Known>();
  const failures = new Map<string, { count: number; until: number }>();
  const rests = new Map<string, number>();
  let others = new Map<string, Known[]>();
  let changed = new Set<string>();
  let sharing: Promise<void> | null = null;

  async function share({ client, run }: RedisConnection): Promise<void> {
    const told = [...changed].flatMap((name) => [`${name} ${me}`, JSON.stringify(own.get(name))]);
    changed = new Set();
    const [, all] = await run(() =>
      Promise.all([
        told.length > 0 ? client.hset(key, told).then(() => client.pexpire(key, keptMs)) : null,
        client.hgetall(key),
      ]),
    );
    const read = new Map<string, Known[]>();
    const stale: string[] = [];
    for (const [field, text] of Object.entries(all)) {
      const [name = '', process] = field.split(' ');
      const known = parse(text);
      if (!known || known.at < now() - keptMs) stale.push(field);
      else if (process !== me) read.set(name, [...(read.get(name) ?? []), known]);
    }
    others = read;
    if (stale.length > 0) await run(() => client.hdel(key, ...stale));
  }
  const timer =
    redis &&
    setInterval(() => {
      sharing ??= share(redis)
        .catch(() => {})
        .finally(() => {
          sharing = null;
        });
    }, shareEveryMs);
  timer?.unref();

  return {
    of(provider, model) {
      const name = nameOf(provider, model);
      const mine = own.get(name);
      const known = [...(mine ? [mine] : []), ...(others.get(name) ?? [])].filter(
        ({ at }) => at >= now() - keptMs,
      );
      return known.length === 0 ? null : average(known);
    },
    ailing(provider, model) {
      const name = nameOf(provider, model);
      const rest = rests.get(name);
      if (rest !== undefined && rest > now())
        return `${provider} asks to be left alone with it for ${Math.ceil((rest - now()) / 1000)} s`;
      rests.delete(name);
      const failed = failures.get(name);
      return failed && failed.count >= failuresToRest && failed.until > now()
        ? `${provider} failed ${failed.count} times in a row with it: it rests until it is tried again`
        : null;
    },
    rest(provider, model, ms) {
      const name = nameOf(provider, model);
      if (rests.size < maxModels || rests.has(name)) rests.set(name, now() + ms);
    },
    learn(call) {
      const name = nameOf(call.provider, call.model);
      if (!call.good) {
        const count = (failures.get(name)?.count ?? 0) + 1;
        if (failures.size < maxModels || failures.has(name))
          failures.set(name, { count, until: now() + restMs });
        return;
      }
      failures.delete(name);
      if (own.size >= maxModels && !own.has(name)) return;
      const before = own.get(name);
      const next = measured(call, before);
      if (!next) return;
      own.set(name, { ...next, calls: (before?.calls ?? 0) + 1, at: now() });
      changed.add(name);
    },
    async stop() {
      clearInterval(timer ?? undefined);
      await sharing;
    },
  };
}

function nameOf(provider: string, model: string): string {
  return `${provider}/${model.replaceAll(' ', '_')}`;
}

/** A plain answer tells when all of it was there: of that the time to the first token is taken to be as it was. */
function measured(call: Measured, before: Pace | undefined): Omit<Pace, 'calls'> | null {
  if (call.outputTokens <= 0) return null;
  const firstMs = call.stream ? call.firstMs : (before?.firstMs ?? call.durationMs / 2);
  const restMs = Math.max(1, call.durationMs - Math.min(firstMs, call.durationMs * 0.9));
  const tokensPerSecond = Math.min(10_000, (1000 * call.outputTokens) / restMs);
  const mix = (old: number | undefined, value: number) =>
    old === undefined ? value : old + newest * (value - old);
  return {
    firstMs: mix(before?.firstMs, firstMs),
    tokensPerSecond: mix(before?.tokensPerSecond, tokensPerSecond),
    outputTokens: mix(before?.outputTokens, call.outputTokens),
  };
}

function average(known: readonly Known[]): Pace {
  // An average over the newest calls is worth no more than some ten of them.
  const weight = ({ calls }: Known) => Math.min(calls, 10);
  const total = known.reduce((sum, each) => sum + weight(each), 0);
  const mean = (of: (each: Known) => number) =>
    known.reduce((sum, each) => sum + of(each) * weight(each), 0) / total;
  return {
    firstMs: mean(({ firstMs }) => firstMs),
    tokensPerSecond: mean(({ tokensPerSecond }) => tokensPerSecond),
    outputTokens: mean(({ outputTokens }) => outputTokens),
    calls: known.reduce((sum, { calls }) => sum + calls, 0),
  };
}

function parse(text: string): Known | null {
  try {
    const { firstMs, tokensPerSecond, outputTokens, calls, at } = JSON.parse(text);
    const numbers = [firstMs, tokensPerSecond, outputTokens, calls, at];
    if (!numbers.every((each) => Number.isFinite(each)) || !(calls > 0) || !(tokensPerSecond > 0))
      return null;
    return { firstMs, tokensPerSecond, outputTokens, calls, at };
  } catch {
    return null;
  }
}
