/**
 * The Lua scripts for grants of ports. Their names begin with KEYS[1], as in script-prelude.ts.
 *
 *     grant:<id>    text  the grant, as formatPortGrant writes it. Its lifetime is the grant's.
 *     grants:<key>  zset  `<port>:<id>` by the grant's end, of one session
 */
export const ADD_PORT_GRANT = `
local prefix = KEYS[1]
local key, id, port, grant, ends, now, max = unpack(ARGV)
local index = prefix .. 'grants:' .. key
redis.call('SET', prefix .. 'grant:' .. id, grant, 'PX', ends - now)
redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
local over = redis.call('ZCARD', index) - max
if over >= 0 then
  for _, first in ipairs(redis.call('ZRANGE', index, 0, over)) do
    redis.call('DEL', prefix .. 'grant:' .. string.match(first, ':(.*)$'))
    redis.call('ZREM', index, first)
  end
end
redis.call('ZADD', index, ends, port .. ':' .. id)
redis.call('PEXPIRE', index, redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2] - now)
`;

export const REMOVE_PORT_GRANTS = `
local prefix = KEYS[1]
local key, port = unpack(ARGV)
local index = prefix .. 'grants:' .. key
for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local of, id = string.match(member, '^(%d+):(.*)$')
  if of == port then
    redis.call('DEL', prefix .. 'grant:' .. id)
    redis.call('ZREM', index, member)
  end
end
`;
