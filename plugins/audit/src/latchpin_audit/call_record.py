"""What is recorded of an MCP call: never its arguments, never its result. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchpin.contracts import DerivedKey, McpCall

__all__ = ["MEMBERS", "CallRecord", "build_record", "hash_arguments", "is_recorded"]

LONGEST = 500
"""How much is recorded of what a token or an administrator says, in characters."""
_SILENT = ("notifications/", "ping")
"""What begins the methods of messages that call nothing."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call.

    Attributes:
        at: when its answer had ended.
        who: the caller's address.
        via, client: how they are known, and the program as its token names it.
        endpoint: the path it came to.
        gateway_id, gateway: whose server it was for; ``""`` where the endpoint answered by itself.
        method, name, id: of the message; the name as the server has it.
        outcome, error: as ``latchpin.contracts.McpCall`` has them.
        session: part of a hash of the session's name, by which what belongs to one session is found.
        arguments: their keyed hash, if that is wanted and there are some.
    """

    at: datetime
    who: str
    via: str
    client: str
    endpoint: str
    gateway_id: str
    gateway: str
    method: str
    name: str
    id: str
    outcome: str
    error: str
    seconds: float
    request_bytes: int
    response_bytes: int
    session: str
    version: str
    trace_id: str
    arguments: str

    def members(self) -> dict[str, Any]:
        """It as JSON."""
        return {name: getattr(self, name) for name in MEMBERS} | {"at": self.at.isoformat(timespec="milliseconds")}


MEMBERS = tuple(CallRecord.__slots__)


def is_recorded(call: McpCall) -> bool:
    """Whether a call is one that is recorded: it came here, and is no mere notification or sign of life."""
    return call.side == "server" and not call.method.startswith(_SILENT)


def build_record(call: McpCall, now: datetime, hashed: Callable[[Mapping[str, Any]], str] | None) -> CallRecord:
    """The record of a call that has ended ``now``; ``hashed`` makes the hash of arguments."""
    gateway, caller = call.gateway, call.caller
    return CallRecord(
        at=now,
        who=caller.email,
        via=caller.via,
        client=_fit(caller.client),
        endpoint=_fit(call.endpoint),
        gateway_id="" if gateway is None else gateway.id,
        gateway="" if gateway is None else _fit(gateway.name),
        method=call.method,
        name=call.name,
        id=call.id,
        outcome=call.outcome,
        error=call.error,
        seconds=round(call.seconds, 6),
        request_bytes=call.request_bytes,
        response_bytes=call.response_bytes,
        session=hashlib.sha256(call.session.encode()).hexdigest()[:16] if call.session else "",
        version=call.version,
        trace_id=call.trace_id,
        arguments="" if hashed is None else hashed(call.params),
    )


def _fit(text: str) -> str:
    """A text that no store and no protocol refuses; the others were made so when the call was read."""
    text = text[:LONGEST]
    return text if text.isascii() and "\0" not in text else text.encode("utf-8", "replace").decode().replace("\0", "?")


def hash_arguments(key: DerivedKey, params: Mapping[str, Any]) -> str:
    """The keyed hash of a call's arguments, behind the id of its key; ``""`` where there are none.

    HMAC-SHA-256 over their JSON with sorted members and no blanks. Without the key nobody can try out what they were.
    """
    arguments = params.get("arguments")
    if not isinstance(arguments, dict) or not arguments:
        return ""
    try:
        canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:  # they are nested as deep as can be read: the call is recorded all the same
        return f"{key.id}:(too deep)"
    return f"{key.id}:{hmac.new(key.key, canonical, hashlib.sha256).hexdigest()}"
