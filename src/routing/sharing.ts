import type { Cluster, Redis, Result } from 'ioredis';
import type { RedisConnection } from '../redis/connection.ts';
import type { Seen } from './seen.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Puts what was seen behind what is known, and forgets names: [now, all that is known by name]. */
    weirShare(key: string, ...args: (string | number)[]): Result<[number, string[]], Context>;
  }
}

const key = 'weir:models';
/** What has no call for so long is forgotten. */
export const keptMs = 10 * 60_000;
/** Models that are remembered at most, those that failed an organization among them. */
export const maxModels = 1_000;
/** Told, and forgotten, at one time: Redis does nothing else meanwhile. */
const maxTold = 200;

// A value is nine numbers, in the order of `numbers`; one that is put behind another says whether it recovered.
const share = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept, most, told = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function split(text)
  local list = {}
  for each in string.gmatch(text or '', '%S+') do list[#list + 1] = tonumber(each) end
  return #list == 9 and now - list[8] < kept and list or nil
end
for at = 4 + 2 * told, #ARGV do
  if not split(redis.call('HGET', KEYS[1], ARGV[at])) then redis.call('HDEL', KEYS[1], ARGV[at]) end
end
local room = most - redis.call('HLEN', KEYS[1])
for at = 4, 2 + 2 * told, 2 do
  local old = redis.call('HGET', KEYS[1], ARGV[at])
  local before, after = split(old), {}
  for each in string.gmatch(ARGV[at + 1], '%S+') do after[#after + 1] = tonumber(each) end
  after[8], after[9] = now - after[8], after[9] < 0 and 0 or now - after[9]
  if before then
    for part = 1, 3 do after[part] = before[part] * after[4] + after[part] end
    after[4], after[5] = before[4] * after[4], before[5] + after[5]
    if after[7] == 0 then after[6] = before[6] + after[6] end
    after[9] = math.max(before[9], after[9])
  end
  if not old then room = room - 1 end
  if old or room >= 0 then redis.call('HSET', KEYS[1], ARGV[at], table.concat(after, ' ')) end
end
redis.call('PEXPIRE', KEYS[1], kept)
return {now, redis.call('HGETALL', KEYS[1])}`;

export function defineSharing(client: Redis | Cluster): void {
  client.defineCommand('weirShare', { numberOfKeys: 1, lua: share });
}

/**
 * Tells the other processes what was seen here since the last time, and learns what all have seen: times by the clock
 * of this process. `told` are at most 200, of which the caller keeps what is left. Rejects when Redis is away.
 */
export async function exchangeSeen(
  { client, run }: RedisConnection,
  told: readonly (readonly [string, Seen])[],
  forgotten: readonly string[],
  now: () => number,
): Promise<{ known: [string, Seen][]; stale: string[] }> {
  const pairs = told.flatMap(([name, seen]) => [name, encode(seen, now())]);
  const gone = forgotten.slice(0, maxTold);
  const [at, fields] = await run(() =>
    client.weirShare(key, keptMs, maxModels, told.length, ...pairs, ...gone),
  );
  const known: [string, Seen][] = [];
  const stale: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? '';
    const seen = decode(fields[index + 1] ?? '', now() - at);
    if (seen && seen.at > now() - keptMs) known.push([name, seen]);
    else stale.push(name);
  }
  return { known, stale };
}

export function takeTold(waiting: Map<string, Seen>): [string, Seen][] {
  const told = [...waiting].slice(0, maxTold);
  for (const [name] of told) waiting.delete(name);
  return told;
}

/** Times as milliseconds ago: clocks differ. */
function encode(seen: Seen, now: number): string {
  const { firstMs, tokensPerSecond, outputTokens, older, calls, failures, recovered, at, failedAt } = seen;
  const failedAgo = failedAt === 0 ? -1 : now - failedAt;
  const numbers = [
    firstMs,
    tokensPerSecond,
    outputTokens,
    older,
    calls,
    failures,
    Number(recovered),
    now - at,
    failedAgo,
  ];
  return numbers.join(' ');
}

function decode(text: string, offset: number): Seen | null {
  const numbers = text.split(' ').map(Number);
  if (numbers.length !== 9 || !numbers.every(Number.isFinite)) return null;
  const [
    firstMs = 0,
    tokensPerSecond = 0,
    outputTokens = 0,
    older = 1,
    calls = 0,
    failures = 0,
    ,
    at = 0,
    failedAt = 0,
  ] = numbers;
  const isSound = older >= 0 && older <= 1 && (calls === 0 || (older < 1 && tokensPerSecond > 0));
  return isSound
    ? {
        ...{ firstMs, tokensPerSecond, outputTokens, older, calls, failures, recovered: true },
        at: at + offset,
        failedAt: failedAt === 0 ? 0 : failedAt + offset,
      }
    : null;
}
