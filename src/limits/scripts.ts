import type { Cluster, Redis, Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** Counts `amount` if the window has room: [1 | 0, counted, milliseconds left]. */
    weirTake(
      key: string,
      amount: number,
      limit: number,
      windowMs: number,
      force: 0 | 1,
    ): Result<[number, number, number], Context>;
    /** Changes what was counted in a window, if it is still the one that had `leftMs` left; one that counts nothing ends. */
    weirAdjust(key: string, delta: number, leftMs: number): Result<number, Context>;
    /** Adds a running call if there is room: [1 | 0, running]. */
    weirEnter(
      key: string,
      id: string,
      limit: number,
      ttlMs: number,
      force: 0 | 1,
    ): Result<[number, number], Context>;
    /** Says of running calls that they still run. */
    weirStay(key: string, ttlMs: number, ...ids: string[]): Result<number, Context>;
    /** Says that a process lives: [how many do, those seen in the last `keptMs`]. */
    weirBeat(key: string, process: string, aliveMs: number, keptMs: number): Result<number, Context>;
  }
}

const nowMs = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

const take = `
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local left = redis.call('PTTL', KEYS[1])
if left < 0 then left = tonumber(ARGV[3]) end
if used + tonumber(ARGV[1]) > tonumber(ARGV[2]) and ARGV[4] == '0' then return {0, used, left} end
used = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {1, used, left}`;

// A window that began after the one that was counted in has more time left than that had.
const adjust = `
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[2]) then return 0 end
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used <= 0 then redis.call('DEL', KEYS[1]) end
return used`;

const enter = `${nowMs}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local running = redis.call('ZCARD', KEYS[1])
if running >= tonumber(ARGV[2]) and ARGV[4] == '0' then return {0, running} end
running = running + redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1, running}`;

const stay = `${nowMs}
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`;

const beat = `${nowMs}
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('ZCOUNT', KEYS[1], now - ARGV[2], '+inf')`;

/** Makes the scripts of limits known to a connection. */
export function defineLimitScripts(client: Redis | Cluster): void {
  const scripts = { weirTake: take, weirAdjust: adjust, weirEnter: enter, weirStay: stay, weirBeat: beat };
  for (const [name, lua] of Object.entries(scripts)) client.defineCommand(name, { numberOfKeys: 1, lua });
}
