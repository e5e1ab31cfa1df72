"""The Lua scripts of ``RedisCollection``, with deadlines as in ``scripts``. Times are microseconds.

A document's text is a line of JSON with its revision, index fields and end, and a second line with the body, which no
script reads. KEYS begin with the documents and their ends; the indexes follow in the order of their names in ARGV.
"""

from __future__ import annotations

from latchpin_redis_store.scripts import in_time

_REMOVE = """
local function remove(id, head, first)
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  for i = 3, #KEYS do
    local name = first(i)
    local value = name == 'id' and id or head.fields[name]
    if value then redis.call('ZREM', KEYS[i], value .. '\\0' .. id) end
  end
end
"""

_LOOK = """
local function look(id)
  local held = redis.call('HGET', KEYS[1], id)
  if not held then return nil end
  return held, cjson.decode(string.match(held, '^[^\\n]*'))
end
local now = tonumber(ARGV[1])
"""

PUT_DOCUMENTS = in_time(
    _REMOVE
    + _LOOK
    + """
local done = {}
for at = #KEYS + 1, #ARGV, 2 + #KEYS do
  local id = ARGV[at]
  local held, head = look(id)
  local stands = held and not (head.ends and head.ends <= now)
  local good = (stands and head.revision or 0) == tonumber(ARGV[at + 1])
  if good then
    if held then remove(id, head, function(i) return ARGV[i] end) end
    redis.call('HSET', KEYS[1], id, ARGV[at + 2])
    if ARGV[at + 3] ~= '' then redis.call('ZADD', KEYS[2], ARGV[at + 3], id) end
    for i = 3, #KEYS do
      local member = ARGV[at + 1 + i]
      if member ~= '' then redis.call('ZADD', KEYS[i], 0, member) end
    end
  end
  done[#done + 1] = good and 1 or 0
  if not good and ARGV[2] ~= '' then break end
end
return done
"""
)
"""ARGV: now, '' or that none is put behind the first that is refused, the indexes' names, then for each document its
id, the revision that must stand, new text, its end or '', and its member in each index or ''. 1 for each that is
written, 0 for each that is refused."""

TAKE_DOCUMENT = in_time(
    _REMOVE
    + _LOOK
    + """
local held, head = look(ARGV[2])
if not held or (head.ends and head.ends <= now) then return false end
if ARGV[3] ~= '' and head.revision ~= tonumber(ARGV[3]) then return false end
remove(ARGV[2], head, function(i) return ARGV[4 + i - 3] end)
return held
"""
)
"""ARGV: now, id, the revision that must stand or '', then the indexes' names. Gives the text taken."""

PURGE_DOCUMENTS = in_time(
    _REMOVE
    + _LOOK
    + """
local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(over) do
  local held, head = look(id)
  if held then
    remove(id, head, function(i) return ARGV[3 + i - 3] end)
  else
    redis.call('ZREM', KEYS[2], id)
  end
end
return #over
"""
)
"""ARGV: now, how many at most, then the indexes' names. How many had ended."""

SCAN_DOCUMENTS = in_time("""
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[5])
local found, offset = {}, 0
while #found < 2 * limit do
  local members = redis.call(ARGV[2], KEYS[2], ARGV[3], ARGV[4], 'LIMIT', offset, limit)
  for _, member in ipairs(members) do
    local id = string.match(member, '%z(.*)$')
    local held = redis.call('HGET', KEYS[1], id)
    local head = held and cjson.decode(string.match(held, '^[^\\n]*'))
    if head and not (head.ends and head.ends <= now) and #found < 2 * limit then
      found[#found + 1] = id
      found[#found + 1] = held
    end
  end
  if #members < limit then break end
  offset = offset + #members
end
return found
""")
"""KEYS: the documents, one index. ARGV: now, the command, its two bounds, how many. Ids and texts in turn."""
