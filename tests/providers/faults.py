"""Ways to misbehave. Each makes a ``Fault``: an ASGI application that is given the healthy one to spoil.

Arm one with ``FaultSwitch.arm``. ``changed``, ``without``, ``form_encoded``, ``callback_...``, ``held`` and ``lost``
let the healthy server work first; all others answer by themselves.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "Fault",
    "answer",
    "bomb",
    "callback_with",
    "callback_without",
    "changed",
    "cut",
    "drip",
    "endless",
    "form_encoded",
    "hang",
    "held",
    "html",
    "lost",
    "oauth_error",
    "redirect",
    "status",
    "without",
]

Fault = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]
_Headers = Mapping[str, str]


async def _start(send: Send, code: int, headers: _Headers) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": code, "headers": raw})


async def _whole(send: Send, code: int, headers: _Headers, body: bytes) -> None:
    await _start(send, code, {"content-length": str(len(body))} | dict(headers))
    await send({"type": "http.response.body", "body": body})


def _fixed(code: int, headers: _Headers, body: bytes) -> Fault:
    async def fault(_app: ASGIApp, _scope: Scope, receive: Receive, send: Send) -> None:
        await _read(receive)
        await _whole(send, code, headers, body)

    return fault


async def _read(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return body


# -- answers of its own -------------------------------------------------------------------------------


def status(code: int, body: str = "", **headers: str) -> Fault:
    """A bare status; header names are written with underscores: ``status(401, www_authenticate="Bearer")``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _fixed(code, {"content-type": "text/plain"} | named, body.encode())


def answer(value: Any, *, code: int = 200) -> Fault:
    """Any JSON value: wrong types, lists, null, extra deep nesting."""
    return _fixed(code, {"content-type": "application/json"}, json.dumps(value).encode())


def oauth_error(error: str, description: str = "", *, code: int = 400) -> Fault:
    """An error answer as RFC 6749 section 5.2 has it."""
    return answer({"error": error, "error_description": description}, code=code)


def html(text: str = "<h1>Welcome</h1><script>alert(1)</script>", *, code: int = 200) -> Fault:
    """A page where JSON was asked for."""
    return _fixed(code, {"content-type": "text/html"}, text.encode())


def redirect(url: str, *, code: int = 302) -> Fault:
    """A redirect that a careful client does not follow."""
    return _fixed(code, {"location": url}, b"")


def bomb(megabytes: int = 64) -> Fault:
    """Some kilobytes of gzip that become ``megabytes``, JSON at that."""
    body = gzip.compress(b'{"issuer": "' + b"a" * (megabytes << 20) + b'"}', 9)
    return _fixed(200, {"content-type": "application/json", "content-encoding": "gzip"}, body)


def endless() -> Fault:
    """A JSON text that goes on for as long as anybody reads."""
    return _flow(b" " * 65536, pause=0.0)


def drip(pause: float = 0.05) -> Fault:
    """A JSON text, one byte at a time, for as long as anybody waits. ``pause`` in seconds."""
    return _flow(b" ", pause=pause)


def _flow(chunk: bytes, *, pause: float) -> Fault:
    async def fault(_app: ASGIApp, _scope: Scope, receive: Receive, send: Send) -> None:
        await _read(receive)
        gone = asyncio.create_task(_gone(receive))
        await _start(send, 200, {"content-type": "application/json"})
        while not gone.done():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.wait({gone}, timeout=pause)

    return fault


def hang() -> Fault:
    """No answer at all, until the client goes away."""

    async def fault(_app: ASGIApp, _scope: Scope, receive: Receive, _send: Send) -> None:
        await _read(receive)
        await _gone(receive)

    return fault


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def cut() -> Fault:
    """Half an answer, then the connection is closed."""
    return _fixed(200, {"content-type": "application/json", "content-length": "1000"}, b'{"half": ')


# -- the healthy answer, spoilt -----------------------------------------------------------------------


class _Kept:
    """Collects what the healthy server answers."""

    def __init__(self) -> None:
        self.code = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _spoilt(spoil: Callable[[_Kept], None]) -> Fault:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        kept = _Kept()
        await app(scope, receive, kept.send)
        spoil(kept)
        kept.headers.pop("content-length", None)
        await _whole(send, kept.code, kept.headers, kept.body)

    return fault


def changed(**fields: Any) -> Fault:
    """The JSON object with some members replaced or added."""

    def spoil(kept: _Kept) -> None:
        kept.body = json.dumps(json.loads(kept.body) | fields).encode()

    return _spoilt(spoil)


def without(*names: str) -> Fault:
    """The JSON object with some members missing."""

    def spoil(kept: _Kept) -> None:
        value = json.loads(kept.body)
        kept.body = json.dumps({name: value[name] for name in value if name not in names}).encode()

    return _spoilt(spoil)


def form_encoded() -> Fault:
    """The JSON object as a form, as some token endpoints answer."""

    def spoil(kept: _Kept) -> None:
        kept.body = urlencode(json.loads(kept.body)).encode()
        kept.headers["content-type"] = "application/x-www-form-urlencoded"

    return _spoilt(spoil)


def callback_with(**fields: str) -> Fault:
    """The redirect to the client with some parameters replaced or added; for the endpoint ``consent``."""
    return _spoilt(lambda kept: _rewrite(kept, lambda query: query | fields))


def callback_without(*names: str) -> Fault:
    """The redirect to the client with some parameters missing; for the endpoint ``consent``."""
    return _spoilt(lambda kept: _rewrite(kept, lambda query: {n: v for n, v in query.items() if n not in names}))


def _rewrite(kept: _Kept, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    parts = urlsplit(kept.headers["location"])
    query = change(dict(parse_qsl(parts.query, keep_blank_values=True)))
    kept.headers["location"] = parts._replace(query=urlencode(query)).geturl()


def held(gate: threading.Event) -> Fault:
    """The healthy answer, not before the test opens ``gate``. The work is done at once."""

    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        kept = _Kept()
        await app(scope, receive, kept.send)
        await asyncio.to_thread(gate.wait, 60)
        await _whole(send, kept.code, kept.headers, kept.body)

    return fault


def lost() -> Fault:
    """The work is done and the answer is lost: the connection closes in the middle of it."""

    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        kept = _Kept()
        await app(scope, receive, kept.send)
        await _whole(send, kept.code, kept.headers | {"content-length": "1000"}, kept.body[:5])

    return fault
