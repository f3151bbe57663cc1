/**
 * Counts a request in its user's window. If it is over the limit, it leaves a mark for `begin`,
 * which may come before the client knows. The mark lasts longer than a client waits for an answer.
 */
export const COUNT_REQUEST = `
local prefix = KEYS[1]
local user, limit, window, request = unpack(ARGV)
local name = prefix .. 'rate:' .. user
local hits = redis.call('INCR', name)
local left = redis.call('PTTL', name)
-- A count without an expiry would shut its user out for ever.
if left < 0 then
  left = tonumber(window)
  redis.call('PEXPIRE', name, left)
end
if request ~= '' and hits > tonumber(limit) then redis.call('SET', prefix .. 'refused:' .. request, 1, 'PX', 10000) end
return { hits, left }
`;
