"""Moves what earlier versions kept under keys of its own into collections, and lists tokens to be counted, once.

Each old key is removed after what it held is written, so a start that is cut short goes on where it ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime

from latchpin.contracts import Collection
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, index_time

from latchpin_redis_store.connection import Commands
from latchpin_redis_store.records import RedisRecordStore

__all__ = ["move_old_keys"]

LAYOUT = "latchpin:layout"
NOW = "3"
LONGEST_USER = 600
"""Bytes of an address in an index; a longer one stands there by its hash."""

# As they are declared today: what is moved lies as it lay when this layout came, whatever becomes of them later.
KEPT = CollectionSpec("core_kept")
TOOLS = CollectionSpec("core_tools", ("gateway",))
FLOWS = CollectionSpec("core_flows", ("last_at", "user", "gateway", "cause", "pending"), disposable=True)
AUDIT = CollectionSpec("core_audit", disposable=True)


async def move_old_keys(store: RedisRecordStore, commands: Commands) -> None:
    """Do it, unless it was done.

    Raises:
        BackendUnavailable: Redis cannot be asked; what was moved is moved.
    """
    if await commands.ask("GET", LAYOUT) == NOW.encode():
        return
    await _move_kept(store, commands)
    await _move_tools(store, commands)
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
            await _put(documents, Document(name, {"value": held["value"]}, expires_at=ends))
        await commands.ask("UNLINK", key)


async def _move_tools(store: RedisRecordStore, commands: Commands) -> None:
    documents = store.collection(TOOLS)
    for gateway in await commands.ask("HKEYS", commands.keys.gateways):
        gateway_id = gateway.decode()
        key = f"latchpin:{{{gateway_id}}}:tools"
        pairs = await commands.ask("HGETALL", key)
        for email, text in zip(pairs[::2], pairs[1::2], strict=True):
            id_ = f"{gateway_id}:{hashlib.sha256(email).hexdigest()}"
            await _put(documents, Document(id_, {"tools": json.loads(text)["tools"]}, {"gateway": gateway_id}))
        await commands.ask("UNLINK", key)


async def _move_flows(store: RedisRecordStore, commands: Commands) -> None:
    documents = store.collection(FLOWS)
    async for key in _keys(commands, "latchpin:{flows}:flow:*"):
        pairs = await commands.ask("HGETALL", key)
        held = dict(zip(pairs[::2], pairs[1::2], strict=True))
        owner = json.loads(held.pop(b"of", b"null"))
        if owner is not None:
            await _put(documents, _flow(key.rpartition(":")[2], owner, [line.decode() for line in held]))
        await commands.ask("UNLINK", key)
    async for key in _keys(commands, "latchpin:{flows}:*"):
        await commands.ask("UNLINK", key)


def _flow(flow_id: str, owner: dict[str, str], lines: list[str]) -> Document:
    """A flow's document, without an end: FLOW_HISTORY_HOURS removes it."""
    steps = sorted(map(json.loads, lines), key=lambda step: step["at"])  # written in UTC, with microseconds
    last_at = index_time(datetime.fromisoformat(steps[-1]["at"]))
    user = owner["app_user_email"].encode()
    fields = {
        "last_at": last_at,
        "user": f"{user.decode() if len(user) <= LONGEST_USER else hashlib.sha256(user).hexdigest()}\n{last_at}",
        "gateway": f"{owner['gateway_id']}\n{last_at}",
    }
    causes = [step["facts"]["cause"] for step in steps if step["step"] == "failed"]
    if causes:
        fields["cause"] = f"{causes[0]}\n{last_at}"
    elif not {step["step"] for step in steps} & {"sealed", "tools-fetched"}:
        fields["pending"] = last_at
    return Document(flow_id, owner | {"steps": lines}, fields)


async def _move_audit(store: RedisRecordStore, commands: Commands) -> None:
    log, documents = "latchpin:audit", store.collection(AUDIT)
    for text in await commands.ask("LRANGE", log, 0, -1):
        entry = json.loads(text)
        await _put(documents, Document(f"{entry['number']:020}", entry))
    await commands.ask("UNLINK", log)


async def _put(documents: Collection, document: Document) -> None:
    with suppress(RecordConflict):  # moved before, or by another process
        await documents.put(document)


async def _keys(commands: Commands, pattern: str) -> AsyncIterator[str]:
    async for keys in commands.scan(pattern):
        for key in keys:
            yield key.decode()
