"""Moves what earlier versions kept under keys of its own into collections, and lists tokens to be counted, once.

Each old key is removed after what it held is written, so a start that is cut short goes on where it ended.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document
from latchpin.records.flow_text import parse_steps
from latchpin.records.flows import FlowRecords
from latchpin.records.kept import KEPT
from latchpin.records.tools import ToolRecords

from latchpin_redis_store.connection import Commands
from latchpin_redis_store.records import GATEWAYS, RedisRecordStore

__all__ = ["move_old_keys"]

LAYOUT = "latchpin:layout"
NOW = "3"
FLOW_LIFE = timedelta(days=3650)
"""No end of their own: FLOW_HISTORY_HOURS removes them."""


async def move_old_keys(store: RedisRecordStore, commands: Commands, clock: Clock) -> None:
    """Do it, unless it was done.

    Raises:
        BackendUnavailable: Redis cannot be asked; what was moved is moved.
    """
    if await commands.ask("GET", LAYOUT) == NOW.encode():
        return
    await _move_kept(store, commands)
    await _move_tools(store, commands, clock)
    await _move_flows(store, commands)
    await _move_audit(store, commands)
    for token in await store.tokens.list():
        await store.tokens.index(token)
    await commands.ask("SET", LAYOUT, NOW)


async def _move_kept(store: RedisRecordStore, commands: Commands) -> None:
    documents = store.collection(KEPT)
    async for key in _keys(commands, "latchpin:kept:*"):
        held = json.loads(await commands.ask("GET", key) or b"null")
        if held is not None:
            ends = None if held["expires_at"] == "never" else datetime.fromisoformat(held["expires_at"])
            name = key.removeprefix("latchpin:kept:")
            with suppress(RecordConflict):  # another process moves it too, or has a newer one
                await documents.put(Document(name, {"value": held["value"]}, expires_at=ends))
        await commands.ask("UNLINK", key)


async def _move_tools(store: RedisRecordStore, commands: Commands, clock: Clock) -> None:
    tools = ToolRecords(store, clock)
    for id_ in await commands.ask("HKEYS", GATEWAYS):
        gateway_id = id_.decode()
        key = f"latchpin:{{{gateway_id}}}:tools"
        pairs = await commands.ask("HGETALL", key)
        for email, text in zip(pairs[::2], pairs[1::2], strict=True):
            with suppress(RecordConflict):  # moved before, or the gateway was removed meanwhile
                await tools.restore(gateway_id, email.decode(), json.loads(text)["tools"])
        await commands.ask("UNLINK", key)


async def _move_flows(store: RedisRecordStore, commands: Commands) -> None:
    flows = FlowRecords(store)
    async for key in _keys(commands, "latchpin:{flows}:flow:*"):
        pairs = await commands.ask("HGETALL", key)
        held = dict(zip(pairs[::2], pairs[1::2], strict=True))
        owner = json.loads(held.pop(b"of", b"null"))
        if owner is not None:
            steps = parse_steps(held, flow_id=key.rpartition(":")[2], **owner)
            await flows.append(steps, life=FLOW_LIFE)
        await commands.ask("UNLINK", key)
    async for key in _keys(commands, "latchpin:{flows}:*"):
        await commands.ask("UNLINK", key)


async def _move_audit(store: RedisRecordStore, commands: Commands) -> None:
    log, audit = "latchpin:audit", store.collection(CollectionSpec("core_audit", disposable=True))
    for text in await commands.ask("LRANGE", log, 0, -1):
        held = json.loads(text)
        with suppress(RecordConflict):  # moved before
            await audit.put(Document(f"{held['number']:020}", held))
    await commands.ask("UNLINK", log)


async def _keys(commands: Commands, pattern: str) -> AsyncIterator[str]:
    cursor = 0
    while True:
        cursor, keys = await commands.ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        for key in keys:
            yield key.decode()
        if not int(cursor):
            return
