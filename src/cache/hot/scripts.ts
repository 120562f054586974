import type { Cluster, Redis, Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** The answer, or else who claims its place: oneself, if nobody did before, or only `instead`. */
    weirLookBuffer(
      answer: string,
      claim: string,
      read: 0 | 1,
      token: string,
      instead: string,
      claimMs: number,
    ): Result<[Buffer | null, Buffer | null], Context>;
    /** Keeps an answer, and gives up the claim of this token. */
    weirPut(
      answer: string,
      claim: string,
      entry: Buffer,
      ttlMs: number,
      token: string,
    ): Result<number, Context>;
    weirRelease(claim: string, token: string): Result<number, Context>;
    weirRenew(claim: string, token: string, claimMs: number): Result<number, Context>;
  }
}

const look = `
local answer = ARGV[1] == '1' and redis.call('GET', KEYS[1])
if answer or ARGV[2] == '' then return {answer, false} end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[3] then return {false, holder} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
return {false, ARGV[2]}`;

const put = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[3] then redis.call('DEL', KEYS[2]) end
return 1`;

const release = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

const renew = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`;

/** Makes the scripts of the cache known to a connection. */
export function defineScripts(client: Redis | Cluster): void {
  client.defineCommand('weirLook', { numberOfKeys: 2, lua: look });
  client.defineCommand('weirPut', { numberOfKeys: 2, lua: put });
  client.defineCommand('weirRelease', { numberOfKeys: 1, lua: release });
  client.defineCommand('weirRenew', { numberOfKeys: 1, lua: renew });
}
