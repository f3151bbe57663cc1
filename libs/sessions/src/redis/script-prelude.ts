/**
 * The keys in Redis, and what the Lua scripts of RedisSessionStore have in common. All names begin
 * with KEYS[1]. It holds the hash tag, so that a Redis cluster keeps a deployment in one slot.
 *
 *     session:<key>  hash    ref (JSON), user, generation, container, image, created, used,
 *                            options (JSON), ttl (its own), metadata (JSON), restarted,
 *                            network (JSON; empty: none given), bytes (of its network),
 *                            start (container@start), begun (no call may report `created` any more)
 *     calls:<key>    zset    call id by deadline
 *     commands:<key> zset    call id by the time until which it counts, for calls with a command
 *     commands:<user>  zset  the same, over all sessions of a user
 *     jobs:<key>     hash    job id to job (JSON)
 *     network:<key>  list    events of its network, the oldest first
 *     expiry         zset    key by expiry. A session has a record if and only if it is in here.
 *     user:<user>    zset    key by expiry, of one user
 *     pooled         zset    sandbox id by the time until which it is kept
 *     closing        zset    key by the end of its closing mark. A key is in `expiry` or in here,
 *                            never in both.
 *     rate:<user id> number  requests in the user's window. Its lifetime is the window's.
 *     refused:<id>   1       a request over its user's limit, for which `begin` may be on its way
 *
 * The caller gives the time, which it has from Redis (StoreClock). One of several replicas may be a
 * little behind, so the time of the last use never goes back.
 *
 * The lifetimes in Redis (PEXPIRE) only clear away what an abandoned deployment leaves behind. They
 * reach a day beyond the expiry, less an hour, so that not every call has to set them.
 */
export const PRELUDE = `
local prefix = KEYS[1]
local EXPIRY, CLOSING, POOLED = prefix .. 'expiry', prefix .. 'closing', prefix .. 'pooled'
local MARGIN, SLACK = 86400000, 3600000
local MAX_CALLS = 256

local function session(key) return prefix .. 'session:' .. key end
local function calls(key) return prefix .. 'calls:' .. key end
local function commands(key_or_user) return prefix .. 'commands:' .. key_or_user end
local function jobs(key) return prefix .. 'jobs:' .. key end
local function network(key) return prefix .. 'network:' .. key end
local function user_index(user) return prefix .. 'user:' .. user end

-- The milliseconds that a text stands for; nil if it is no number.
local function ms(text)
  if text and #text <= 15 and string.match(text, '^%d+$') then return tonumber(text) end
end

local function text(number) return string.format('%.0f', number) end

local function score(index, key)
  local value = redis.call('ZSCORE', index, key)
  return value and tonumber(value)
end

local function keep(name, lifetime)
  if redis.call('PTTL', name) < lifetime - SLACK then redis.call('PEXPIRE', name, text(lifetime)) end
end

-- Notes a use of the session and sets its expiry. The ttl is for sessions without one of their own.
local function touch(key, user, now, ttl)
  local known = redis.call('HMGET', session(key), 'used', 'ttl')
  local used = math.max(ms(known[1]) or 0, now)
  ttl = ms(known[2]) or tonumber(ttl)
  redis.call('HSET', session(key), 'used', text(used))
  redis.call('ZREMRANGEBYSCORE', calls(key), '-inf', '(' .. text(now))
  local longest = redis.call('ZREVRANGE', calls(key), 0, 0, 'WITHSCORES')[2]
  local expiry = math.max(used, tonumber(longest or 0)) + ttl
  redis.call('ZADD', EXPIRY, text(expiry), key)
  redis.call('ZADD', user_index(user), text(expiry), key)
  for _, name in ipairs({ session(key), calls(key), user_index(user), EXPIRY }) do keep(name, expiry - now + MARGIN) end
end

local function count(index, now)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. text(now))
  return redis.call('ZCARD', index)
end

local function forget(key)
  local user = redis.call('HGET', session(key), 'user')
  if user then
    redis.call('ZREM', user_index(user), key)
    for _, call in ipairs(redis.call('ZRANGE', commands(key), 0, -1)) do redis.call('ZREM', commands(user), call) end
  end
  redis.call('DEL', session(key), calls(key), commands(key), jobs(key), network(key))
  redis.call('ZREM', EXPIRY, key)
end

local function record(key)
  local fields = redis.call('HMGET', session(key), 'ref', 'generation', 'container', 'image', 'created', 'used', 'options', 'ttl', 'metadata', 'restarted', 'start', 'network')
  -- A list ends at its first nil.
  for i = 1, 12 do fields[i] = fields[i] or '' end
  fields[13] = redis.call('ZSCORE', EXPIRY, key)
  return fields
end
`;
