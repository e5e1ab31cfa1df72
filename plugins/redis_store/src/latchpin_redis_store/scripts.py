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
"""One that looks at the time first. ``in_time`` alone makes it."""

LATE = "LATE"
"""How the error of a script begins that came too late, and so did nothing."""


def in_time(text: str) -> Script:
    """``text``, kept from running after its deadline. A user who may not ask for the time has none (see README)."""
    return Script(_DEADLINE + text)


_DEADLINE = f"""
local latest = table.remove(ARGV)
local time = redis.pcall('TIME')
if latest ~= '' and not time.err and time[1] * 1000000 + time[2] > tonumber(latest) then
  return redis.error_reply('{LATE} its deadline was over, and nothing was done')
end
"""

PUT_STATE = in_time("""
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
""")
"""KEYS: the state. ARGV: new text, its life in ms. OK if written."""

PUT = in_time("""
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
""")
"""KEYS: a hash. ARGV: field, new text. 1 if written."""

CONSUME = in_time("""
local held = redis.call('GET', KEYS[1])
local ends = held and string.match(held, '^{"used":false,"expires_at":"([^"]+)"')
if ends and ends > ARGV[1] then
  redis.call('SET', KEYS[1], '{"used":true,"expires_at":"' .. ends .. '","used_at":"' .. ARGV[1] .. '"}', 'KEEPTTL')
end
return held
""")
"""KEYS: the state. ARGV: now. Gives what was there; a live state becomes a tombstone that keeps its life."""

SWAP = in_time("""
local held = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' and held then return 0 end
if ARGV[2] ~= '' and (not held or string.sub(held, 1, #ARGV[2]) ~= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""KEYS: a hash. ARGV: field, how the stored text must begin ('': must be absent), new text. 1 if written."""

_PLACE = """
local function place(key, score, name)
  if score == '' then redis.call('ZREM', key, name) else redis.call('ZADD', key, score, name) end
end
"""

SWAP_DUE = in_time(
    _PLACE
    + """
if redis.call('HEXISTS', KEYS[3], ARGV[6]) == 0 then return 0 end
local held = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' and held then return 0 end
if ARGV[2] ~= '' and (not held or string.sub(held, 1, #ARGV[2]) ~= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
place(KEYS[2], ARGV[5], ARGV[4])
for i = 4, 6 do place(KEYS[i], ARGV[3 + i], ARGV[4]) end
place(KEYS[7], ARGV[10], ARGV[1])
return 1
"""
)
"""KEYS: a gateway's tokens, what is due, gateways, those by which tokens are counted, and its labelled accounts. ARGV:
as SWAP's, then its name there, when in ms or '', the gateway's id, its place in each of the three, and 0 if it has a
label, or ''. 1 if written."""

GET_ACCOUNTS = in_time("""
return redis.call('HMGET', KEYS[1], ARGV[1], unpack(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[2], ARGV[3])))
""")
"""KEYS: a gateway's tokens, its labelled accounts. ARGV: a person, the span of theirs. Gives all of that person's."""

INDEX_TOKEN = in_time(
    _PLACE
    + """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held or string.sub(held, 1, #ARGV[2]) ~= ARGV[2] then return 0 end
for i = 2, 4 do place(KEYS[i], ARGV[2 + i], ARGV[3]) end
return 1
"""
)
"""KEYS: a gateway's tokens, and those by which tokens are counted. ARGV: field, how the stored text must begin, its
name there, and its place in each or ''. 1 if it is still that token."""

DELETE_DUE = in_time("""
redis.call('ZREM', KEYS[2], ARGV[1])
for i = 3, #KEYS do redis.call('ZREM', KEYS[i], ARGV[2]) end
return redis.call('HDEL', KEYS[1], ARGV[1])
""")
"""KEYS: a gateway's tokens, its labelled accounts, and what tokens are listed in. ARGV: field, its name there. 1 if it
was there."""

DELETE_GATEWAY = in_time("""
local there = redis.call('HDEL', KEYS[1], ARGV[1])
for _, user in ipairs(redis.call('HKEYS', KEYS[4])) do
  for i = 6, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1] .. ':' .. user) end
end
for _, id in ipairs(redis.call('HVALS', KEYS[2])) do redis.call('HDEL', KEYS[3], id) end
redis.call('DEL', KEYS[2], KEYS[4], KEYS[5])
return there
""")
"""KEYS: gateways, its issuers, clients, its tokens, its labelled accounts, and what tokens are listed in. ARGV: its
id. 1 if it was there."""

DELETE_ALL = in_time("""
local count = redis.call('HLEN', KEYS[1])
for _, user in ipairs(redis.call('HKEYS', KEYS[1])) do
  for i = 3, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1] .. ':' .. user) end
end
redis.call('DEL', KEYS[1], KEYS[2])
return count
""")
"""KEYS: a gateway's tokens, its labelled accounts, and what tokens are listed in. ARGV: the gateway's id. Gives how
many there were."""

PUT_CLIENT = in_time("""
if redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""KEYS: clients, its gateway's issuers, gateways. ARGV: id, issuer, text, the gateway's id. 1 if written."""

DELETE_CLIENT = in_time("""
if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[2]) end
return redis.call('HDEL', KEYS[1], ARGV[1])
""")
"""KEYS: clients, its gateway's issuers. ARGV: id, issuer. 1 if it was there."""
