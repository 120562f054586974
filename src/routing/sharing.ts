import type { Cluster, Redis, Result } from 'ioredis';
import type { RedisConnection } from '../redis/connection.ts';
import type { Seen } from './seen.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Puts what was seen behind what is known: [now, what has changed since, by name]. */
    weirShare(key: string, ...args: (string | number)[]): Result<[number, string[]], Context>;
  }
}

/** Its last part is the form of the values: releases with another share among themselves. */
const key = 'weir:models:2';
/** What has no call for so long is forgotten. */
export const keptMs = 10 * 60_000;
/** Models that are remembered at most, those that refused an organization among them. */
export const maxModels = 1_000;
/** Told at one time: Redis does nothing else meanwhile. */
const maxTold = 200;
/** What was told is read again for so long: after a failover the clock may be another machine's. */
const overlapMs = 10_000;

// A value is ten numbers, in the order of `encode`, with times in place of ages. It is told only when it has changed
// since: most models of a large house rest.
const share = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since, kept, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function split(text)
  local list = {}
  for each in string.gmatch(text or '', '%S+') do list[#list + 1] = tonumber(each) end
  return list
end
local room = most - redis.call('HLEN', KEYS[1])
for at = 4, #ARGV, 2 do
  local old = redis.call('HGET', KEYS[1], ARGV[at])
  local before, after = split(old), split(ARGV[at + 1])
  after[1] = math.floor(now - after[1])
  after[2] = after[2] < 0 and 0 or math.floor(now - after[2])
  after[10] = after[10] < 0 and 0 or math.floor(now + after[10])
  if #before == 10 and now - before[1] < kept then
    for part = 3, 5 do after[part] = before[part] * after[6] + after[part] end
    after[6], after[7] = before[6] * after[6], before[7] + after[7]
    if after[9] == 0 then after[8] = before[8] + after[8] end
    after[2] = math.max(before[2], after[2])
    after[10] = math.max(before[10], after[10])
  end
  if not old then room = room - 1 end
  if old or room >= 0 then redis.call('HSET', KEYS[1], ARGV[at], table.concat(after, ' ')) end
end
redis.call('PEXPIRE', KEYS[1], kept)
local all, changed = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #all, 2 do
  local seen = tonumber(string.match(all[at + 1], '^%d+') or '0')
  if now - seen > kept then redis.call('HDEL', KEYS[1], all[at])
  elseif seen >= since then
    changed[#changed + 1] = all[at]
    changed[#changed + 1] = all[at + 1]
  end
end
return {now, changed}`;

export function defineSharing(client: Redis | Cluster): void {
  client.defineCommand('weirShare', { numberOfKeys: 1, lua: share });
}

/**
 * Tells the other processes what was seen here since the last time, and learns what all have seen since `since`, a time
 * by the clock of Redis: `at` of the last answer, at first 0. What it learns has times by the clock of this process.
 * Rejects when Redis is away, or late: then what was told may count twice when it is told again.
 */
export async function exchangeSeen(
  { client, run }: RedisConnection,
  told: readonly (readonly [string, Seen])[],
  since: number,
  now: () => number,
): Promise<{ at: number; known: [string, Seen][] }> {
  const pairs = told.flatMap(([name, seen]) => [name, encode(seen, now())]);
  const from = Math.max(0, since - overlapMs);
  const [at, fields] = await run(() => client.weirShare(key, from, keptMs, maxModels, ...pairs));
  const known: [string, Seen][] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const seen = decode(fields[index + 1] ?? '', now() - at);
    if (seen) known.push([fields[index] ?? '', seen]);
  }
  return { at, known };
}

/** Takes what is to be told next, at most 200 names, out of what waits. */
export function takeTold(waiting: Map<string, Seen>): [string, Seen][] {
  const told = [...waiting].slice(0, maxTold);
  for (const [name] of told) waiting.delete(name);
  return told;
}

/** Times as milliseconds ago, or from now: clocks differ. */
function encode(seen: Seen, now: number): string {
  const { firstMs, tokensPerSecond, outputTokens, older, calls, failures, recovered, at } = seen;
  const ago = [now - at, seen.failedAt === 0 ? -1 : now - seen.failedAt];
  const sums = [firstMs, tokensPerSecond, outputTokens, older, calls, failures, Number(recovered)];
  return [...ago, ...sums, seen.restsUntil > now ? seen.restsUntil - now : -1].join(' ');
}

function decode(text: string, offset: number): Seen | null {
  const numbers = text.split(' ').map(Number);
  if (numbers.length !== 10 || !numbers.every(Number.isFinite)) return null;
  const [at = 0, failedAt = 0, firstMs = 0, tokensPerSecond = 0, outputTokens = 0, older = 1] = numbers;
  const [calls = 0, failures = 0, , restsUntil = 0] = numbers.slice(6);
  const isSound = older >= 0 && older <= 1 && (calls === 0 || (older < 1 && tokensPerSecond > 0));
  if (!isSound) return null;
  const sums = { firstMs, tokensPerSecond, outputTokens, older, calls, failures, recovered: true };
  const local = (time: number) => (time === 0 ? 0 : time + offset);
  return { ...sums, at: at + offset, failedAt: local(failedAt), restsUntil: local(restsUntil) };
}
