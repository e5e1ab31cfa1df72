"""The Lua scripts: each is one atomic step that Redis has no single command for.

They look at the beginning of a stored text instead of parsing it: what they compare, the codecs write
first. Times are compared as text, which fixed-width ISO 8601 in UTC allows. Keys come as KEYS only.
They are sent whole with EVAL: Redis keeps them compiled by their digest, and a restart loses nothing.

Every write that matters later is one of them, because a script can look at Redis' clock: a Redis that was paused, or
cut off, carries out what it received before, and whoever asked was told long ago that nothing happened. The last of
ARGV is the time, in microseconds of that clock, after which a script does nothing.
"""

from __future__ import annotations

from typing import NewType

Script = NewType("Script", str)
"""One that looks at the time first. ``_in_time`` alone makes it."""

LATE = "LATE"
"""How the error of a script begins that came too late, and so did nothing."""


def _in_time(text: str) -> Script:
    """``text``, kept from running after its deadline. A user who may not ask for the time has none (see README)."""
    return Script(_DEADLINE + text)


_DEADLINE = f"""
local latest = table.remove(ARGV)
local time = redis.pcall('TIME')
if latest ~= '' and not time.err and time[1] * 1000000 + time[2] > tonumber(latest) then
  return redis.error_reply('{LATE} its deadline was over, and nothing was done')
end
"""

PUT_STATE = _in_time("""
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
""")
"""KEYS: the state. ARGV: new text, its life in ms. OK if written."""

PUT = _in_time("""
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
""")
"""KEYS: a hash. ARGV: field, new text. 1 if written."""

CONSUME = _in_time("""
local held = redis.call('GET', KEYS[1])
local ends = held and string.match(held, '^{"used":false,"expires_at":"([^"]+)"')
if ends and ends > ARGV[1] then
  redis.call('SET', KEYS[1], '{"used":true,"expires_at":"' .. ends .. '","used_at":"' .. ARGV[1] .. '"}', 'KEEPTTL')
end
return held
""")
"""KEYS: the state. ARGV: now. Gives what was there; a live state becomes a tombstone that keeps its life."""

SWAP = _in_time("""
local held = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' and held then return 0 end
if ARGV[2] ~= '' and (not held or string.sub(held, 1, #ARGV[2]) ~= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""KEYS: a hash. ARGV: field, how the stored text must begin ('': must be absent), new text. 1 if written."""

SWAP_BELOW = _in_time("""
if redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0 then return -1 end
local held = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' and held then return 0 end
if ARGV[2] ~= '' and (not held or string.sub(held, 1, #ARGV[2]) ~= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""KEYS: a hash of a gateway's, gateways. ARGV: as SWAP's, then the gateway's id. 1 if written, -1 if it is gone."""

SWAP_DUE = _in_time("""
if redis.call('HEXISTS', KEYS[3], ARGV[6]) == 0 then return 0 end
local held = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' and held then return 0 end
if ARGV[2] ~= '' and (not held or string.sub(held, 1, #ARGV[2]) ~= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[5] == '' then
  redis.call('ZREM', KEYS[2], ARGV[4])
else
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
end
return 1
""")
"""KEYS: a gateway's tokens, what is due, gateways. ARGV: as SWAP's, then its name there, when in ms or '', and the
gateway's id. 1 if written."""

DELETE_DUE = _in_time("""
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('HDEL', KEYS[1], ARGV[1])
""")
"""KEYS: as SWAP_DUE's first two. ARGV: field, its name among what is due. 1 if it was there."""

DELETE_GATEWAY = _in_time("""
local there = redis.call('HDEL', KEYS[1], ARGV[1])
for _, user in ipairs(redis.call('HKEYS', KEYS[4])) do redis.call('ZREM', KEYS[6], ARGV[1] .. ':' .. user) end
for _, id in ipairs(redis.call('HVALS', KEYS[2])) do redis.call('HDEL', KEYS[3], id) end
redis.call('DEL', KEYS[2], KEYS[4], KEYS[5])
return there
""")
"""KEYS: gateways, its issuers, clients, its tokens, its tools, what is due. ARGV: its id. 1 if it was there."""

DELETE_ALL = _in_time("""
local count = redis.call('HLEN', KEYS[1])
for _, user in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('ZREM', KEYS[2], ARGV[1] .. ':' .. user) end
redis.call('DEL', KEYS[1])
return count
""")
"""KEYS: a gateway's tokens, what is due. ARGV: the gateway's id. Gives how many there were."""

PUT_CLIENT = _in_time("""
if redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""KEYS: clients, its gateway's issuers, gateways. ARGV: id, issuer, text, the gateway's id. 1 if written."""

DELETE_CLIENT = _in_time("""
if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[2]) end
return redis.call('HDEL', KEYS[1], ARGV[1])
""")
"""KEYS: clients, its gateway's issuers. ARGV: id, issuer. 1 if it was there."""

KEEP = _in_time("""
local held = redis.call('GET', KEYS[1])
local ends = held and string.match(held, '^{"expires_at":"([^"]+)"')
if ends and ends > ARGV[1] then return held end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return ARGV[2]
""")
"""KEYS: a kept value. ARGV: now, new text, its life in ms or ''. Gives the text that stands."""

TAKE = _in_time("""
local held = redis.call('GET', KEYS[1])
if not held then return false end
local ends, rest = string.match(held, '^{"expires_at":"([^"]+)",(.*)$')
if not ends or ends <= ARGV[1] then return false end
if ARGV[2] ~= '' and rest ~= ARGV[2] then return false end
redis.call('DEL', KEYS[1])
return held
""")
"""KEYS: a kept value. ARGV: now, how the text must end or ''. Gives the text taken."""

APPEND_FLOW = _in_time("""
redis.call('HSETNX', KEYS[1], 'of', ARGV[1])
for i = 7, #ARGV do
  if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then break end
  redis.call('HSET', KEYS[1], ARGV[i], '')
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
for i = 2, #KEYS do
  local held = redis.call('ZSCORE', KEYS[i], ARGV[2])
  if not held or tonumber(held) < tonumber(ARGV[3]) then redis.call('ZADD', KEYS[i], ARGV[3], ARGV[2]) end
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. ARGV[6])
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return 1
""")
"""KEYS: a flow, the indexes it is in. ARGV: whose it is, its id, its last step's time, its life in ms, the most steps,
the time before which index entries are over, then the steps. A step that is there stays as it is."""

APPEND_AUDIT = _in_time("""
local last = redis.call('LINDEX', KEYS[1], -1)
if (last and cjson.decode(last).number or 0) ~= tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
return 1
""")
"""KEYS: the audit log. ARGV: the number that its last entry must have, then the new ones. 1 if written."""

LIST_AUDIT = _in_time("""
local first = redis.call('LINDEX', KEYS[1], 0)
if not first then return {} end
local begin = math.max(0, tonumber(ARGV[1]) - cjson.decode(first).number + 1)
return redis.call('LRANGE', KEYS[1], begin, begin + tonumber(ARGV[2]) - 1)
""")
"""KEYS: the audit log. ARGV: the number behind which to begin, how many entries at most. The entries."""

PURGE_AUDIT = _in_time("""
local first = redis.call('LINDEX', KEYS[1], 0)
if not first then return 0 end
local count = math.min(tonumber(ARGV[1]) - cjson.decode(first).number, redis.call('LLEN', KEYS[1]) - 2) + 1
if count <= 0 then return 0 end
redis.call('LTRIM', KEYS[1], count, -1)
return count
""")
"""KEYS: the audit log. ARGV: up to which number; the last entry stays. How many were removed."""
