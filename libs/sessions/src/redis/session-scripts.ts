import { COUNT_REQUEST } from './count-request';
import { ADD_PORT_GRANT, REMOVE_PORT_GRANTS } from './port-grant-scripts';
import { ANSWER_REQUEST, CLAIM_REQUEST, KEEP_REQUESTS, RELEASE_REQUEST } from './request-scripts';
import { PRELUDE } from './script-prelude';

/* Each script is one atomic round trip. script-prelude.ts says what the keys hold. */

const BEGIN = `
local key, user, ref, generation, call, deadline, counts_until, now, ttl, entry, options, own_ttl, metadata, rules = unpack(ARGV, 1, 14)
local max_sessions, max_of_user, max_commands, max_commands_of_user, request, only_live = unpack(ARGV, 15)
now = tonumber(now)
if request ~= '' and redis.call('EXISTS', prefix .. 'refused:' .. request) == 1 then return { 'refused' } end
local closing = redis.call('ZSCORE', CLOSING, key)
if closing then return { 'closing', closing } end

local known = redis.call('HMGET', session(key), 'generation', 'created')
local created = (known[1] or '') == '' or not ms(known[2]) or not score(EXPIRY, key)
if entry == 'begin' then
  if only_live ~= '' and (created or score(EXPIRY, key) <= now) then return { 'absent' } end
  if created then
    if redis.call('ZCARD', EXPIRY) + redis.call('ZCARD', CLOSING) >= tonumber(max_sessions) then return { 'full', 'MAX_SESSIONS' } end
    if redis.call('ZCOUNT', user_index(user), '(' .. text(now), '+inf') >= tonumber(max_of_user) then return { 'full', 'MAX_SESSIONS_PER_USER' } end
  end
  if counts_until ~= '' then
    if count(commands(key), now) >= tonumber(max_commands) then return { 'full', 'MAX_CONCURRENT_COMMANDS_PER_SESSION' } end
    if count(commands(user), now) >= tonumber(max_commands_of_user) then return { 'full', 'MAX_CONCURRENT_COMMANDS_PER_USER' } end
  end
end
-- The first write has to be one that Redis refuses if memory is short. Redis lets a script finish
-- once it has written.
redis.call('HSET', session(key), 'user', user, 'ref', ref)
if created then
  redis.call('HSET', session(key), 'generation', generation, 'container', '', 'image', '', 'created', text(now), 'used', '',
    'options', options, 'ttl', own_ttl, 'metadata', metadata, 'network', rules, 'restarted', '', 'start', '', 'begun', '', 'bytes', '')
  -- Drop sessions whose keys ended in Redis itself, because no sweeper runs.
  redis.call('ZREMRANGEBYSCORE', EXPIRY, '-inf', text(now - MARGIN))
  redis.call('ZREMRANGEBYSCORE', user_index(user), '-inf', text(now - MARGIN))
end
if counts_until ~= '' then
  for _, index in ipairs({ commands(key), commands(user) }) do
    redis.call('ZADD', index, counts_until, call)
    redis.call('PEXPIRE', index, text(math.max(tonumber(counts_until) - now, 0) + MARGIN))
  end
end
redis.call('ZADD', calls(key), deadline, call)
if redis.call('ZCARD', calls(key)) > MAX_CALLS then
  -- Merge the two holds that end first into one that no call ends. The session may then live a
  -- little longer than its calls, never shorter.
  local first = redis.call('ZRANGE', calls(key), 0, 1, 'WITHSCORES')
  local merged = math.max(tonumber(first[4]), score(calls(key), 'merged') or 0)
  redis.call('ZREM', calls(key), first[1], first[3])
  redis.call('ZADD', calls(key), text(merged), 'merged')
end
touch(key, user, now, ttl)
return { 'live', created and 1 or 0, record(key) }
`;

const END = `
local key, generation, call, now, ttl = unpack(ARGV)
local known = redis.call('HMGET', session(key), 'generation', 'user', 'container')
if known[1] ~= generation or not known[2] then return end
redis.call('ZREM', calls(key), call)
redis.call('ZREM', commands(key), call)
redis.call('ZREM', commands(known[2]), call)
if (known[3] or '') == '' and redis.call('ZCARD', calls(key)) == 0 then return forget(key) end
touch(key, known[2], tonumber(now), ttl)
`;

const ATTACH = `
local key, generation, container, start, origin, image, created, options, own_ttl, metadata, rules, ttl = unpack(ARGV)
local fields = { 'generation', 'container', 'created', 'user', 'used', 'ttl', 'metadata', 'restarted', 'start', 'begun', 'network' }
local known = redis.call('HMGET', session(key), unpack(fields))
if known[1] ~= generation then return { 'moved' } end
local had, restarted, noted, begun = known[2] or '', known[8] or '', known[9] or '', known[10] or ''
local another = had ~= '' and had ~= container
-- Compare starts of the same container only. An older version notes a new container without its
-- start.
local here = container .. '@'
local other_start = string.sub(noted, 1, #here) == here and noted ~= here .. start
if another or other_start or (had == '' and origin == 'restarted') then restarted = '1' end
local made = origin == 'made' and not another and begun == ''
if another or made then begun = '1' end
redis.call('HSET', session(key), 'container', container, 'image', image, 'options', options, 'restarted', restarted,
  'start', here .. start, 'begun', begun)
if created ~= '' and tonumber(created) < (ms(known[3]) or 0) then redis.call('HSET', session(key), 'created', created) end
if (known[7] or '') == '' then redis.call('HSET', session(key), 'metadata', metadata) end
if (known[11] or '') == '' and had == '' then redis.call('HSET', session(key), 'network', rules) end
if (known[6] or '') == '' and own_ttl ~= '' then
  redis.call('HSET', session(key), 'ttl', own_ttl)
  touch(key, known[4], ms(known[5]) or 0, ttl)
end
return { 'live', restarted, made and '1' or '' }
`;

const TAKE_RESTARTED = `
local key, generation = unpack(ARGV)
local known = redis.call('HMGET', session(key), 'generation', 'restarted')
if known[1] ~= generation or known[2] ~= '1' then return 0 end
redis.call('HSET', session(key), 'restarted', '')
return 1
`;

const UPDATE = `
local key, now, own_ttl, metadata, rules, ttl = unpack(ARGV)
local expiry, user = score(EXPIRY, key), redis.call('HGET', session(key), 'user')
if not (user and expiry and expiry > tonumber(now)) then return end
if own_ttl ~= '' then redis.call('HSET', session(key), 'ttl', own_ttl) end
if metadata ~= '' then redis.call('HSET', session(key), 'metadata', metadata) end
if rules ~= '' then redis.call('HSET', session(key), 'network', rules) end
touch(key, user, tonumber(now), ttl)
return record(key)
`;

const GET = `
local key, now = unpack(ARGV)
local expiry = score(EXPIRY, key)
if expiry and expiry > tonumber(now) then return record(key) end
`;

const LIST = `
local user, now, limit = unpack(ARGV)
local index = user == '' and EXPIRY or user_index(user)
local records = {}
for i, key in ipairs(redis.call('ZREVRANGEBYSCORE', index, '+inf', '(' .. now, 'LIMIT', 0, limit)) do
  records[i] = { key, record(key) }
end
return records
`;

const CLOSE = `
local key, condition, now, till = unpack(ARGV)
now = tonumber(now)
local closing = score(CLOSING, key)
if closing and closing > now then return 0 end
local expiry = score(EXPIRY, key)
-- A closing mark whose time is over is taken over, whatever the condition.
if not closing then
  if condition == 'expired' and not (expiry and expiry <= now) then return 0 end
  if condition == 'unknown' and expiry then return 0 end
end
forget(key)
redis.call('ZADD', CLOSING, till, key)
keep(CLOSING, tonumber(till) - now + MARGIN)
return 1
`;

const KEEP_CLOSING = `
local key, till = unpack(ARGV)
if not score(CLOSING, key) then return 0 end
redis.call('ZADD', CLOSING, till, key)
return 1
`;

const REMOVE = `
forget(ARGV[1])
redis.call('ZREM', CLOSING, ARGV[1])
`;

const EXPIRED = `
local now, limit = unpack(ARGV)
local function past(index) return redis.call('ZRANGEBYSCORE', index, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit) end
return { past(EXPIRY), past(CLOSING) }
`;

const KNOWN = `
local now = tonumber(ARGV[1])
local known = {}
for i = 2, #ARGV do
  if score(EXPIRY, ARGV[i]) or (score(CLOSING, ARGV[i]) or score(POOLED, ARGV[i]) or 0) > now then known[#known + 1] = ARGV[i] end
end
return known
`;

const KEEP_POOLED = `
local till = ARGV[1]
redis.call('ZREMRANGEBYSCORE', POOLED, '-inf', text(tonumber(till) - MARGIN))
for i = 2, #ARGV do redis.call('ZADD', POOLED, till, ARGV[i]) end
redis.call('PEXPIRE', POOLED, MARGIN)
`;

const ADD_JOB = `
local key, generation, id, job, max = unpack(ARGV)
if redis.call('HGET', session(key), 'generation') ~= generation then return 'moved' end
if redis.call('HEXISTS', jobs(key), id) == 0 and redis.call('HLEN', jobs(key)) >= tonumber(max) then return 'full' end
redis.call('HSET', jobs(key), id, job)
-- The jobs live as long as the session's record now does. Later jobs, and the end of the record,
-- set a new lifetime.
redis.call('PEXPIRE', jobs(key), math.max(redis.call('PTTL', session(key)), MARGIN))
return 'added'
`;

const JOBS = `
return redis.call('HVALS', jobs(ARGV[1]))
`;

const REMOVE_JOB = `
redis.call('HDEL', jobs(ARGV[1]), ARGV[2])
`;

const ADD_NETWORK_EVENTS = `
local key, generation, bytes, max = unpack(ARGV)
local known = redis.call('HMGET', session(key), 'generation', 'bytes')
if known[1] ~= generation then return '' end
local total = text((ms(known[2]) or 0) + tonumber(bytes))
redis.call('HSET', session(key), 'bytes', total)
for i = 5, #ARGV do redis.call('RPUSH', network(key), ARGV[i]) end
redis.call('LTRIM', network(key), -tonumber(max), -1)
redis.call('PEXPIRE', network(key), text(math.max(redis.call('PTTL', session(key)), MARGIN)))
return total
`;

const READ_NETWORK = `
return { redis.call('HGET', session(ARGV[1]), 'bytes') or '', redis.call('LRANGE', network(ARGV[1]), 0, -1) }
`;

/** The scripts by the name under which the client has them as commands. */
export const SESSION_SCRIPTS = {
  sessionBegin: PRELUDE + BEGIN,
  sessionEnd: PRELUDE + END,
  sessionAttach: PRELUDE + ATTACH,
  sessionTakeRestarted: PRELUDE + TAKE_RESTARTED,
  sessionUpdate: PRELUDE + UPDATE,
  sessionGet: PRELUDE + GET,
  sessionList: PRELUDE + LIST,
  sessionClose: PRELUDE + CLOSE,
  sessionKeepClosing: PRELUDE + KEEP_CLOSING,
  sessionRemove: PRELUDE + REMOVE,
  sessionExpired: PRELUDE + EXPIRED,
  sessionKnown: PRELUDE + KNOWN,
  sessionKeepPooled: PRELUDE + KEEP_POOLED,
  sessionAddJob: PRELUDE + ADD_JOB,
  sessionJobs: PRELUDE + JOBS,
  sessionRemoveJob: PRELUDE + REMOVE_JOB,
  sessionAddNetworkEvents: PRELUDE + ADD_NETWORK_EVENTS,
  sessionReadNetwork: PRELUDE + READ_NETWORK,
  sessionCountRequest: COUNT_REQUEST,
  sessionAddPortGrant: ADD_PORT_GRANT,
  sessionRemovePortGrants: REMOVE_PORT_GRANTS,
  sessionClaimRequest: CLAIM_REQUEST,
  sessionKeepRequests: KEEP_REQUESTS,
  sessionAnswerRequest: ANSWER_REQUEST,
  sessionReleaseRequest: RELEASE_REQUEST,
} as const;

export type SessionScript = keyof typeof SESSION_SCRIPTS;
