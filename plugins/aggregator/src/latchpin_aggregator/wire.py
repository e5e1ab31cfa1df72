"""One HTTP exchange with one MCP server, by the proxy's way to it: whole for what this endpoint asks by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from latchpin.contracts import AUTHORIZE_FIRST, McpExchanges
from latchpin.errors import UpstreamUnreachable
from latchpin.model import Caller, Gateway
from latchpin.sdk.mcp import MODERN, NAMED_BY, Era
from latchpin_mcp.calls import WatchedCall
from latchpin_mcp.header_values import encode_value

from latchpin_aggregator.events import Events

__all__ = [
    "Answer",
    "Asked",
    "Head",
    "Outgoing",
    "Unavailable",
    "Wire",
    "is_events",
    "is_json",
    "make_scope",
    "receive_once",
]

MOST_BYTES = 8_388_608
"""Of an answer that is held as a whole."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Unavailable(Exception):
    """A server does not serve this caller now.

    Attributes:
        reason: in one sentence, for people.
        waits: for the caller's person, who has to authorize it.
        answered: the server itself did, in a way that is of no use.
        unreachable: nobody gets a connection to it, whoever asks.
    """

    def __init__(self, reason: str, *, waits: bool = False, answered: bool = False, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable
        self.reason = reason
        self.waits = waits
        self.answered = answered


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for a server.

    Attributes:
        method: MCP's; ``""`` for an answer.
        name: what the method is about, where header fields repeat it.
        version: of the protocol; ``""`` where it is not agreed yet.
        session: as the proxy named it to this caller; ``""``: none.
        passed: header fields of the caller's that go on.
    """

    body: bytes = field(repr=False)
    era: Era
    method: str
    name: str | None = None
    version: str = ""
    session: str = ""
    passed: tuple[tuple[bytes, bytes], ...] = ()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Its header fields."""
        fields = [
            (b"accept", b"application/json, text/event-stream"),
            (b"content-type", b"application/json"),
            *self.passed,
        ]
        if self.era == "modern":
            fields += [(b"mcp-protocol-version", MODERN.encode()), (b"mcp-method", encode_value(self.method).encode())]
            if self.method in NAMED_BY and self.name is not None:
                fields.append((b"mcp-name", encode_value(self.name).encode()))
            return fields
        if self.version:
            fields.append((b"mcp-protocol-version", self.version.encode()))
        if self.session:
            fields.append((b"mcp-session-id", self.session.encode("latin-1")))
        return fields


@dataclass(frozen=True, slots=True)
class Asked:
    """The caller's side of an exchange (ASGI).

    Attributes:
        opens_links: in the session that it is part of, the program said that it asks its person to open links.
        watched: the call, as those are told of it who have to know; None: nobody has to.
    """

    scope: Scope
    receive: Receive
    send: Send
    opens_links: bool = False
    watched: WatchedCall | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer. Header names are lower case."""

    status: int
    headers: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        message: the JSON-RPC answer's text; None where none came.
        from_server: the server answered; else the proxy says why not, in words of this gateway's.
    """

    head: Head
    body: bytes = field(repr=False)
    message: str | None = field(repr=False)
    from_server: bool = True

    @property
    def session(self) -> str:
        """The session that it begins, ``""`` if none."""
        return self.head.headers.get(b"mcp-session-id", b"").decode("latin-1")

    def value(self) -> dict[str, Any]:
        """The JSON-RPC answer.

        Raises:
            Unavailable: none came, or nobody can read it, or it says that the person has to authorize first.
        """
        try:
            value = json.loads(self.message or "")
        except (ValueError, RecursionError):
            raise self._problem() from None
        if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
            raise self._problem()
        error = value.get("error")
        if not self.from_server and isinstance(error, dict) and error.get("code") == AUTHORIZE_FIRST:
            problem = error["data"]
            if "authorize_url" in problem:
                raise Unavailable("it needs your authorization", waits=True)
            raise Unavailable(str(problem["detail"])[:500].rstrip("."))  # no authorization of a person's would help
        return value

    def _problem(self) -> Unavailable:
        """Why there is no answer. A server's own words are not repeated: they would look like the gateway's."""
        if self.from_server:
            return Unavailable(f"it answers HTTP {self.head.status}, and not as an MCP server", answered=True)
        try:
            problem = json.loads(self.body)
            unreachable = problem.get("cause") == UpstreamUnreachable.code
            return Unavailable(str(problem["detail"])[:500], unreachable=unreachable)
        except (ValueError, KeyError, TypeError, RecursionError):
            return Unavailable("it cannot be asked")


class Wire:
    """Speaks to servers."""

    def __init__(self, exchanges: McpExchanges) -> None:
        self._exchanges = exchanges

    async def ask(self, gateway: Gateway, caller: Caller, outgoing: Outgoing, *, seconds: float) -> Answer:
        """Send a message of our own and give the whole answer.

        Raises:
            Unavailable: it is too long, or does not come in time.
        """
        collecting = _Collecting()
        scope = make_scope({}, outgoing)
        try:
            async with asyncio.timeout(seconds):
                receive = receive_once(outgoing.body, None)
                serve = self._exchanges.serve
                from_server = await serve(gateway, caller, scope, receive, collecting.send, all_tools=True)
        except TimeoutError:
            raise Unavailable(f"it did not answer within {seconds:g} seconds") from None
        return collecting.answer(from_server=from_server)

    async def pass_on(self, gateway: Gateway, caller: Caller, outgoing: Outgoing, asked: Asked, send: Send) -> None:
        """Send a caller's message on, and its answer to ``send``; it ends when the caller is gone."""
        receive, scope = receive_once(outgoing.body, asked.receive), make_scope(asked.scope, outgoing)
        await self._exchanges.serve(gateway, caller, scope, receive, send, opens_links=asked.opens_links)


def make_scope(scope: Scope, outgoing: Outgoing) -> Scope:
    """The scope (ASGI) of an exchange that is part of the request with ``scope``."""
    own = {"method": "POST", "headers": outgoing.headers(), "query_string": b""}
    return {"type": "http", "path": "/mcp", **scope, **own}


def receive_once(body: bytes, receive: Receive | None) -> Receive:
    """Give ``body`` as a whole, then whatever ``receive`` gives; without one, nothing ever."""
    given = False

    async def give() -> MutableMapping[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        if receive is not None:
            return await receive()
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return give


class _Collecting:
    """Holds an answer."""

    def __init__(self) -> None:
        self._head: Head | None = None
        self._body = bytearray()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._head = Head(message["status"], dict(message.get("headers", ())))
            return
        self._body += message.get("body", b"")
        if len(self._body) > MOST_BYTES:
            raise Unavailable(f"it answers more than {MOST_BYTES:,} bytes")

    def answer(self, *, from_server: bool) -> Answer:
        if self._head is None:
            raise Unavailable("it did not answer")
        body = bytes(self._body)
        return Answer(self._head, body, _message(self._head, body), from_server)


def _message(head: Head, body: bytes) -> str | None:
    """The JSON-RPC answer in a body: the last message of an event stream that is one."""
    texts = [event.data for event in Events().feed(body, last=True)] if is_events(head.headers.items()) else [body]
    for text in reversed(texts):
        if b'"result"' in text or b'"error"' in text:
            return text.decode("utf-8", "replace")
    return None


def is_json(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether header fields say that the body is JSON."""
    return _is(b"application/json", fields)


def is_events(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether header fields say that the body is an event stream."""
    return _is(b"text/event-stream", fields)


def _is(kind: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Media types are the same in upper and lower case (RFC 9110 section 8.3.1)."""
    return any(name == b"content-type" and value.lower().startswith(kind) for name, value in fields)
