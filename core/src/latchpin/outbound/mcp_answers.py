"""What is nearly an answer of an MCP server, read as what it means: lenient where strictness protects nobody.

Servers in use send JSON as ``text/plain``, put a byte order mark before it, end a stream without its last blank line,
or answer under another request's id. The SDK's client would take none of them, or wait until its deadline.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["EVENTS", "JSON", "media_type", "mend_events", "mend_json", "message_of"]

JSON, EVENTS = "application/json", "text/event-stream"

_SAYS_NOTHING = frozenset({"", "text/plain", "text/json", "application/octet-stream", "binary/octet-stream"})
"""Media types behind which anything may be."""
_EVENT = re.compile(rb"(?:event|data|id|retry)?:")
_HIGH, _LOW = rb"u[dD][89abAB][0-9a-fA-F]{2}", rb"u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rb"\\(?:" + _HIGH + rb"\\" + _LOW + rb"|(" + _HIGH + rb"|" + _LOW + rb")|.)", re.DOTALL)


def message_of(body: bytes) -> dict[str, Any]:
    """The JSON-RPC message in one of the SDK's own requests; empty if there is none."""
    try:
        message = json.loads(body)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def media_type(named: str, start: bytes) -> str:
    """What an answer is: what it begins with, unless it says that it is something else than MCP's; else what it says.

    Args:
        named: its ``Content-Type``.
        start: the beginning of its body.
    """
    bare = named.partition(";")[0].strip().lower()
    if bare not in _SAYS_NOTHING | {JSON, EVENTS} and not bare.endswith("+json"):
        return named
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if text[:1] in {b"{", b"["}:  # no stream has events that begin so
        return JSON
    if _EVENT.match(text):  # and no JSON does so
        return EVENTS
    return bare if bare in {JSON, EVENTS} else named


def mend_json(body: bytes, request_id: object) -> bytes:
    """A whole answer to one request: without a mark, and under that request's id, whichever it names.

    Half a surrogate pair stands for nothing, and becomes U+FFFD (RFC 8259 section 8.2).
    """
    body = _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body.removeprefix(codecs.BOM_UTF8))
    message = message_of(body)
    if ("error" in message or "result" in message) and message.get("id") != request_id:
        return json.dumps({**message, "id": request_id}).encode()
    return body


async def mend_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream without a mark, whose last event is ended."""
    first = b""
    async for piece in pieces:
        first += piece
        if len(first) >= len(codecs.BOM_UTF8):
            break
    yield first.removeprefix(codecs.BOM_UTF8)
    async for piece in pieces:
        yield piece
    yield b"\n\n"
