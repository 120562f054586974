import type { Cluster, Redis, Result } from 'ioredis';

type Text = string | number;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    weirBudgetSync(
      place: string,
      budget: string,
      ...args: Text[]
    ): Result<[string, ...(string | number)[]], Context>;
    weirBudgetWatch(budget: string, buildMs: number): Result<[string, number], Context>;
    weirBudgetRestore(place: string, budget: string, ...args: Text[]): Result<number, Context>;
    weirBudgetBuilt(budget: string, epoch: string, everyMs: number, keptMs: number): Result<number, Context>;
    weirBudgetForget(budget: string, epoch: string): Result<number, Context>;
  }
}

/*
 * A budget is a hash: epoch (a random name: what was known before it is lost), open_at (until then processes
 * tell what they hold), built (summed up from the ledger), builder_until, build_at (when to sum up again).
 * A place is a hash: r|bucket|process what it says it has spent, g|bucket|process what the ledger says,
 * l|process what it holds, x|process until when, s|process its last sequence.
 * Amounts are written and read as text, digit for digit; only decisions are made with the floating-point
 * numbers of Lua, and those leave a margin of a 2^-50th.
 */
const begin = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

// ARGV: 1 process, 2 sequence, 3 acknowledged, 4 epoch, 5 held, 6 need, 7 more, 8 limit, 9 most lent,
// 10 sharers, 11 first bucket, 12 kept ms, 13 lease ms, 14 new epoch, 15 grace ms, 16 build ms,
// then bucket and amount, in pairs.
const sync = `${begin}
local process = ARGV[1]
local epoch, open_at, built, builder_until = unpack(redis.call('HMGET', KEYS[2], 'epoch', 'open_at', 'built', 'builder_until'))
if not epoch then
  epoch, open_at, built, builder_until = ARGV[14], now + ARGV[15], false, false
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'open_at', string.format('%.0f', open_at))
end
local last = tonumber(redis.call('HGET', KEYS[1], 's|' .. process) or '0')
if epoch == ARGV[4] and last < tonumber(ARGV[3]) then return {'lost'} end
if last >= tonumber(ARGV[2]) then return {'stale'} end

local build = 0
if not built and now >= tonumber(open_at) and now >= tonumber(builder_until or '0') then
  build = 1
  redis.call('HSET', KEYS[2], 'builder_until', string.format('%.0f', now + ARGV[16]))
end

-- It tells only now what it had spent before: it was taken for gone, and what the ledger has of it counts twice.
if built and #ARGV > 16 and epoch ~= ARGV[4] then
  redis.call('HSET', KEYS[2], 'build_at', string.format('%.0f', now + ARGV[15]))
end

local own = {}
local spent, lent = {}, 0
local fields = redis.call('HGETALL', KEYS[1])
local expires = {}
for at = 1, #fields, 2 do
  if string.sub(fields[at], 1, 2) == 'x|' then expires[string.sub(fields[at], 3)] = tonumber(fields[at + 1]) end
end
local function count(bucket, who, amount)
  if tonumber(bucket) < tonumber(ARGV[11]) then return end
  local key = bucket .. '|' .. who
  if amount > (spent[key] or 0) then spent[key] = amount end
end
for at = 1, #fields, 2 do
  local kind, rest, value = string.sub(fields[at], 1, 2), string.sub(fields[at], 3), fields[at + 1]
  if kind == 'r|' or kind == 'g|' then
    local bucket, who = string.match(rest, '^(%d+)|(.*)$')
    count(bucket, who, tonumber(value))
    if who == process and epoch ~= ARGV[4] then own[#own + 1] = bucket; own[#own + 1] = value end
  elseif kind == 'l|' and rest ~= process and (expires[rest] or 0) > now then
    lent = lent + tonumber(value)
  end
end
for at = 17, #ARGV, 2 do
  redis.call('HSET', KEYS[1], 'r|' .. ARGV[at] .. '|' .. process, ARGV[at + 1])
  count(ARGV[at], process, tonumber(ARGV[at + 1]))
end
local total = 0
for _, amount in pairs(spent) do total = total + amount end

local limit, held, need = tonumber(ARGV[8]), tonumber(ARGV[5]), tonumber(ARGV[6])
local free = math.floor(limit - total - lent - held - limit * 2 ^ -50)
local granted = 0
local opens = -1
if built then
  opens = 0
  if free > 0 then
    granted = math.min(need, free)
    free = free - granted
    if ARGV[7] == '1' then
      granted = granted + math.max(0, math.min(tonumber(ARGV[9]), math.floor(free / (4 * ARGV[10]))))
    end
  end
elseif now < tonumber(open_at) then
  opens = tonumber(open_at) - now
end
redis.call('HSET', KEYS[1], 's|' .. process, ARGV[2], 'l|' .. process, string.format('%.0f', held + granted),
  'x|' .. process, string.format('%.0f', now + ARGV[13]))
redis.call('PEXPIRE', KEYS[1], ARGV[12])
return {'ok', epoch, opens, build, string.format('%.0f', granted), string.format('%.0f', total),
  string.format('%.0f', lent + held + granted), unpack(own)}`;

// ARGV: 1 build ms. Also lets one process at a time sum up again what is known.
const watch = `${begin}
local epoch, built, build_at = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'built', 'build_at'))
if not epoch then return {'', 0} end
if not built or now < tonumber(build_at or '0') then return {epoch, 0} end
redis.call('HSET', KEYS[1], 'build_at', string.format('%.0f', now + ARGV[1]))
return {epoch, 1}`;

// ARGV: 1 epoch, 2 kept ms, 3 number of processes that are kept, these, then bucket, process and amount.
const restore = `${begin}
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return 0 end
local kept = {[''] = true}
local at = 4
while at < 4 + tonumber(ARGV[3]) do kept[ARGV[at]] = true; at = at + 1 end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  -- One that was taken for gone and is there: until the next time some of it counts twice.
  if string.sub(fields[i], 1, 2) == 'x|' and tonumber(fields[i + 1]) > now then kept[string.sub(fields[i], 3)] = true end
end
local gone = {}
for i = 1, #fields, 2 do
  local kind, rest = string.sub(fields[i], 1, 2), string.sub(fields[i], 3)
  local who = (kind == 'r|' or kind == 'g|') and string.match(rest, '^%d+|(.*)$') or rest
  if kind == 'g|' or (kind ~= 'a|' and not kept[who]) then gone[#gone + 1] = fields[i] end
end
for i = 1, #gone do redis.call('HDEL', KEYS[1], gone[i]) end
while at < #ARGV do
  redis.call('HSET', KEYS[1], 'g|' .. ARGV[at] .. '|' .. ARGV[at + 1], ARGV[at + 2])
  at = at + 3
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;

// ARGV: 1 epoch, 2 until it is summed up again, 3 kept ms.
const built = `${begin}
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'built', '1', 'build_at', string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

const forget = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** Makes the scripts of budgets known to a connection. */
export function defineBudgetScripts(client: Redis | Cluster): void {
  client.defineCommand('weirBudgetSync', { numberOfKeys: 2, lua: sync });
  client.defineCommand('weirBudgetWatch', { numberOfKeys: 1, lua: watch });
  client.defineCommand('weirBudgetRestore', { numberOfKeys: 2, lua: restore });
  client.defineCommand('weirBudgetBuilt', { numberOfKeys: 1, lua: built });
  client.defineCommand('weirBudgetForget', { numberOfKeys: 1, lua: forget });
}
