import { Cluster, type Redis } from 'ioredis';
import type { RedisConnection } from '../../redis/connection.ts';
import { within } from '../../redis/deadline.ts';
import type { Place } from '../cache.ts';
import { readLabel } from '../entry.ts';
import { covers, type Purge } from '../purges.ts';
import { answerKey } from './redis.ts';

const scanCount = 1_000;
/** A label is some hundred bytes. */
const labelBytes = 4_096;
/** Nobody's call waits for it. */
const waitMs = 5_000;

/** The keys of the answers in Redis that a purge is about, some at a time. Rejects when Redis is away. */
export async function* scanHot(redis: RedisConnection, purge: Purge): AsyncGenerator<string[]> {
  const { organization, key } = purge;
  if (key !== null) {
    yield await among(redis, purge, [answerKey({ organization, key })]);
    return;
  }
  const pattern = answerKey({ organization: escaped(organization), key: '*' });
  for (const node of nodesOf(redis)) {
    let cursor = '0';
    do {
      const [next, keys] = await within(waitMs, node.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount));
      cursor = next;
      if (keys.length > 0) yield await among(redis, purge, keys);
    } while (cursor !== '0');
  }
}

/** Deletes answers in Redis. */
export async function deleteHot(
  redis: RedisConnection,
  place: (key: string) => Place,
  keys: string[],
): Promise<void> {
  await within(waitMs, Promise.all(keys.map((key) => redis.client.unlink(answerKey(place(key))))));
}

/** Those of these keys of Redis that a purge is about, without what Redis has before them. */
async function among(redis: RedisConnection, purge: Purge, keys: string[]): Promise<string[]> {
  const labels = await within(
    waitMs,
    Promise.all(keys.map((key) => redis.client.getrangeBuffer(key, 0, labelBytes - 1))),
  );
  return keys.flatMap((name, index) => {
    const bytes = labels[index];
    const key = name.slice(name.lastIndexOf(':') + 1);
    if (!bytes || bytes.length === 0) return [];
    const label = readLabel(bytes);
    // What nobody can read any more goes as well.
    return !label || covers(purge, { organization: purge.organization, key }, label) ? [key] : [];
  });
}

function nodesOf({ client }: RedisConnection): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

/** A text as a pattern of Redis that means it alone. */
function escaped(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
