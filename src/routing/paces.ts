import { LRUCache } from 'lru-cache';
import type { RedisConnection } from '../redis/connection.ts';
import type { Pace } from './candidates.ts';
import { failure, followed, paceOf, resting, type Seen, success } from './seen.ts';
import { defineSharing, exchangeSeen, keptMs, maxModels, takeTold } from './sharing.ts';

/** How often processes tell each other. */
const usualShareMs = 2_000;
/** Failures in a row after which a model is left alone, and for how long. */
const failuresToRest = 3;
const restMs = 30_000;
/** No provider has longer names. */
const maxNameChars = 200;

/** One call that has ended. */
export interface Measured {
  provider: string;
  model: string;
  stream: boolean;
  /**
   * `away`: the provider was not to be reached, overloaded or out of order. `refused`: it does not take calls that
   * this organization pays for, for want of credit, of rate, of the model or of a valid key.
   */
  outcome: 'good' | 'away' | 'refused';
  organization: string;
  firstMs: number;
  durationMs: number;
  outputTokens: number;
}

/** How fast models are and whether they answer, from live traffic. */
export interface Paces {
  of(provider: string, model: string): Pace | null;
  /** Why a model is left alone for now; null: it is well. `organization`: whose keys pay; null: the caller's own does. */
  ailing(provider: string, model: string, organization: string | null): string | null;
  /** A model is left alone for so long, as its provider asks. */
  rest(provider: string, model: string, ms: number): void;
  learn(call: Measured): void;
  stop(): Promise<void>;
}

/**
 * What all processes saw, as far as this one knows: over Redis they ask each other every two seconds, and tell at once
 * whom to leave alone, off every call's way. While Redis is away each goes on from what it knew by what it sees itself.
 */
export function createPaces(redis: RedisConnection | null, now: () => number, shareMs = usualShareMs): Paces {
  const known = new LRUCache<string, Seen>({ max: maxModels });
  /** Not told yet. */
  const untold = new Map<string, Seen>();
  /** When Redis answered last, by its clock. */
  let since = 0;
  let sharing: Promise<void> | null = null;

  async function share(connection: RedisConnection): Promise<void> {
    const told = takeTold(untold);
    try {
      const all = await exchangeSeen(connection, told, since, now);
      since = all.at;
      for (const [name, seen] of all.known) known.set(name, followed(seen, untold.get(name)));
    } catch {
      for (const [name, seen] of told) untold.set(name, followed(seen, untold.get(name)));
    }
  }
  if (redis) defineSharing(redis.client);
  const shareNow = () => {
    if (!redis) return;
    sharing ??= share(redis).finally(() => {
      sharing = null;
    });
  };
  const timer = redis && setInterval(shareNow, shareMs);
  timer?.unref();

  function recent(name: string): Seen | undefined {
    const seen = known.get(name);
    return seen && seen.at > now() - keptMs ? seen : undefined;
  }

  function note(name: string, seen: Seen): void {
    if (name.length > maxNameChars) return;
    known.set(name, followed(recent(name), seen));
    if (redis && (untold.has(name) || untold.size < maxModels))
      untold.set(name, followed(untold.get(name), seen));
  }

  const failed = (name: string) => {
    const seen = recent(name);
    return seen && seen.failures >= failuresToRest && seen.failedAt > now() - restMs ? seen.failures : 0;
  };

  return {
    of(provider, model) {
      const seen = recent(nameOf(provider, model));
      return seen ? paceOf(seen) : null;
    },
    ailing(provider, model, organization) {
      const name = nameOf(provider, model);
      const restMs = (recent(name)?.restsUntil ?? 0) - now();
      if (restMs > 0) return `${provider} asks to be left alone with it for ${Math.ceil(restMs / 1000)} s`;
      const away = failed(name);
      if (away > 0)
        return `${provider} failed ${away} times in a row with it: it rests until it is tried again`;
      const refused = organization === null ? 0 : failed(refusalName(provider, model, organization));
      return refused > 0
        ? `${provider} refused it to your organization ${refused} times in a row (rate, credit, key or model): it rests until it is tried again`
        : null;
    },
    rest(provider, model, ms) {
      const name = nameOf(provider, model);
      const isNews = (recent(name)?.restsUntil ?? 0) <= now();
      note(name, resting(now(), ms));
      if (isNews) shareNow();
    },
    learn(call) {
      const name = nameOf(call.provider, call.model);
      const refusals = refusalName(call.provider, call.model, call.organization);
      if (call.outcome === 'away') {
        note(name, failure(now()));
        if (recent(name)?.failures === failuresToRest) shareNow();
      } else if (call.outcome === 'refused') note(refusals, failure(now()));
      else {
        const seen = recent(name);
        note(name, success(call, seen ? paceOf(seen) : null, now()));
        if (recent(refusals)?.failures) note(refusals, success({ ...call, outputTokens: 0 }, null, now()));
      }
    },
    async stop() {
      clearInterval(timer ?? undefined);
      await sharing;
    },
  };
}

function nameOf(provider: string, model: string): string {
  return `${provider}/${model}`;
}

/** No name of an organization has a space. */
function refusalName(provider: string, model: string, organization: string): string {
  return `${organization} ${nameOf(provider, model)}`;
}
