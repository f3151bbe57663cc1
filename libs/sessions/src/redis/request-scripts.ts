/**
 * The Lua scripts for requests with a key. Their names begin with KEYS[1], as in script-prelude.ts.
 *
 *     request:<name>   hash    fingerprint, claim, until (the end of its lease), status, body
 *     requests:<user>  zset    name by the time of its claim
 *     answers:<user>   list    `<bytes>:<name>` of the bodies that are kept, the oldest first
 *     answered:<user>  number  bytes of these bodies
 */
export const CLAIM_REQUEST = `
local prefix = KEYS[1]
local user, name, fingerprint, claim, now, lease, lifetime, max, min_age, counted = unpack(ARGV)
now, lifetime = tonumber(now), tonumber(lifetime)
local function text(number) return string.format('%.0f', number) end
if counted ~= '' and redis.call('EXISTS', prefix .. 'refused:' .. counted) == 1 then return { 'refused' } end
local entry, index = prefix .. 'request:' .. name, prefix .. 'requests:' .. user
local known = redis.call('HMGET', entry, 'fingerprint', 'until', 'status', 'body')
if known[1] then
  if known[1] ~= fingerprint then return { 'differs' } end
  -- A reply ends at its first nil.
  if known[3] then return { 'answered', known[3], known[4] or nil } end
  return { (tonumber(known[2]) or 0) > now and 'running' or 'unknown' }
end
local oldest = text(now - lifetime)
local is_full = redis.call('ZCOUNT', index, '(' .. oldest, '+inf') >= tonumber(max)
local first = is_full and redis.call('ZRANGEBYSCORE', index, '(' .. oldest, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if first and tonumber(first[2]) > now - min_age then return { 'full', text(first[2] + min_age) } end
-- The first write has to be one that Redis refuses if memory is short.
redis.call('HSET', entry, 'fingerprint', fingerprint, 'claim', claim, 'until', text(now + lease))
redis.call('PEXPIRE', entry, text(lifetime))
redis.call('ZREMRANGEBYSCORE', index, '-inf', oldest)
if first then
  redis.call('DEL', prefix .. 'request:' .. first[1])
  redis.call('ZREM', index, first[1])
end
redis.call('ZADD', index, text(now), name)
redis.call('PEXPIRE', index, text(lifetime))
return { 'claimed' }
`;

export const KEEP_REQUESTS = `
local prefix = KEYS[1]
for i = 2, #ARGV, 2 do
  local entry = prefix .. 'request:' .. ARGV[i]
  local known = redis.call('HMGET', entry, 'claim', 'status')
  if known[1] == ARGV[i + 1] and not known[2] then redis.call('HSET', entry, 'until', ARGV[1]) end
end
`;

export const ANSWER_REQUEST = `
local prefix = KEYS[1]
local user, name, claim, status, bytes, body, max, lifetime = unpack(ARGV)
local entry = prefix .. 'request:' .. name
local known = redis.call('HMGET', entry, 'claim', 'status')
if known[1] ~= claim or known[2] then return end
redis.call('HSET', entry, 'status', status)
if bytes == '' then return end
redis.call('HSET', entry, 'body', body)
local list, sum = prefix .. 'answers:' .. user, prefix .. 'answered:' .. user
redis.call('RPUSH', list, bytes .. ':' .. name)
local total = redis.call('INCRBY', sum, bytes)
while total > tonumber(max) do
  local of, first = string.match(redis.call('LPOP', list) or '', '^(%d+):(.*)$')
  if not of then
    redis.call('DEL', sum)
    break
  end
  redis.call('HDEL', prefix .. 'request:' .. first, 'body')
  total = redis.call('INCRBY', sum, '-' .. of)
end
redis.call('PEXPIRE', list, lifetime)
redis.call('PEXPIRE', sum, lifetime)
`;

export const RELEASE_REQUEST = `
local prefix = KEYS[1]
local user, name, claim = unpack(ARGV)
local entry = prefix .. 'request:' .. name
local known = redis.call('HMGET', entry, 'claim', 'status')
if known[1] ~= claim or known[2] then return end
redis.call('DEL', entry)
redis.call('ZREM', prefix .. 'requests:' .. user, name)
`;
