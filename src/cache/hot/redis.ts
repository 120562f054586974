import type { Logger } from 'pino';
import type { RedisConnection } from '../../redis/connection.ts';
import type { HotTier, Place } from '../cache.ts';
import type { Entries } from '../entry.ts';
import { defineScripts } from './scripts.ts';

/** A claim that nobody renews ends after this: its process was killed while nobody waited for it. */
const claimMs = 60_000;

/** The hash tag makes all that an organization has lie on one node of a Cluster. */
export const answerKey = ({ organization, key }: Place) => `weir:{${organization}}:answer:${key}`;
const claimKey = ({ organization, key }: Place) => `weir:{${organization}}:flight:${key}`;

/** Answers in Redis, sealed, shared by all processes; and who is asking the provider for which. */
export function createRedisTier(redis: RedisConnection, entries: Entries, log: Logger): HotTier {
  const { client } = redis;
  defineScripts(client);
  const quietly = async ({ organization }: Place, work: () => Promise<unknown>) => {
    try {
      await redis.run(work, organization);
    } catch (error) {
      log.debug({ err: error }, 'Redis was not told of an answer');
    }
  };
  return {
    async look(place, { read, token, instead }) {
      const alone = { answer: null, holder: token };
      try {
        const [entry, holder] = await redis.run(
          () =>
            client.weirLookBuffer(
              answerKey(place),
              claimKey(place),
              read ? 1 : 0,
              token ?? '',
              instead ?? '',
              claimMs,
            ),
          place.organization,
        );
        const answer = entry && (await entries.open(place, entry));
        if (entry && !answer)
          return token === null ? alone : await this.look(place, { read: false, token, instead });
        return { answer, holder: holder?.toString() ?? null };
      } catch {
        return alone;
      }
    },
    async put(place, answer, ttlMs, token) {
      const ttl = Math.floor(ttlMs);
      if (ttl <= 0) return;
      const entry = await entries.seal(place, answer);
      await quietly(place, () => client.weirPut(answerKey(place), claimKey(place), entry, ttl, token ?? ''));
    },
    release: (place, token) => quietly(place, () => client.weirRelease(claimKey(place), token)),
    renew: (place, token) => quietly(place, () => client.weirRenew(claimKey(place), token, claimMs)),
    purge: () => {},
  };
}
