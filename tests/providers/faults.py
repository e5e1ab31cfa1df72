"""A healthy authorization server and MCP server whose every endpoint can be told to misbehave, and which remember."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from latchpin_demo.authorization_server import AuthorizationServer
from latchpin_demo.loopback import bind, url_of
from latchpin_demo.mcp_server import PATH, build_mcp_app
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.providers.servers import TOOLS, Provider
from tests.servers import serve_asgi

# Ways to misbehave. Each makes a ``Fault``: an ASGI application that is given the healthy one to spoil.


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


ENDPOINTS = {
    "/.well-known/oauth-protected-resource": "resource-metadata",
    "/.well-known/oauth-authorization-server": "metadata",
    "/.well-known/openid-configuration": "openid",
    "/accounts/.well-known/openid-configuration": "openid",
    "/accounts/authorize": "authorize",
    "/accounts/interaction": "pages",
    "/accounts/token": "token",
    "/accounts/revoke": "revoke",
    "/accounts/register/": "manage",
    "/accounts/register": "register",
    PATH: "mcp",
}
"""Path prefixes and what they are called here. ``consent`` is the POST that sends the browser back."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that arrived. Header names are lower case."""

    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class _Armed:
    fault: Fault
    times: int | None
    method: str


@dataclass
class FaultSwitch:
    """The servers with a switch at each endpoint.

    Attributes:
        provider: where they are.
        accounts: the healthy authorization server below; ``accounts.ledger`` shows clients and tokens.
    """

    provider: Provider
    accounts: AuthorizationServer
    _app: ASGIApp
    _mcp_app: ASGIApp
    _armed: dict[str, _Armed] = field(default_factory=dict)
    _asked: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, endpoint: str, fault: Fault, *, times: int | None = None, method: str = "") -> None:
        """Let ``endpoint`` misbehave, for the next ``times`` requests or until ``heal``; only those of ``method``."""
        if endpoint not in {*ENDPOINTS.values(), "consent"}:
            raise ValueError(f"{endpoint} is none of {sorted({*ENDPOINTS.values(), 'consent'})}")
        with self._lock:
            self._armed[endpoint] = _Armed(fault, times, method)

    def heal(self, *endpoints: str) -> None:
        """Let these endpoints, or all, be well again."""
        with self._lock:
            for endpoint in endpoints or list(self._armed):
                self._armed.pop(endpoint, None)

    def asked(self, endpoint: str = "") -> list[Asked]:
        """The requests so far, to ``endpoint`` or to all, first to last."""
        with self._lock:
            return [asked for asked in self._asked if endpoint in {"", asked.endpoint}]

    def forget(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._asked.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, healthily or not."""
        if scope["type"] != "http":
            await self._mcp_app(scope, receive, send)
            return
        endpoint = _classify(scope["path"])
        if scope["method"] == "POST" and scope["path"].endswith("/consent"):
            endpoint = "consent"
        app = self._mcp_app if endpoint in {"mcp", "resource-metadata"} else self._app
        body, replay = await read_ahead(receive)
        with self._lock:
            self._asked.append(_describe(endpoint, scope, body))
            fault = self._take(endpoint, scope["method"])
        if fault is None:
            await app(scope, replay, send)
        else:
            await fault(app, scope, replay, send)

    def _take(self, endpoint: str, method: str) -> Fault | None:
        armed = self._armed.get(endpoint)
        if armed is None or armed.times == 0 or armed.method not in {"", method}:
            return None
        if armed.times is not None:
            armed.times -= 1
        return armed.fault


def _classify(path: str) -> str:
    return next((name for prefix, name in ENDPOINTS.items() if path.startswith(prefix)), "unknown")


def _describe(endpoint: str, scope: Scope, body: bytes) -> Asked:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    return Asked(endpoint, scope["method"], scope["path"], query, headers, body)


async def read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and a ``receive`` that gives it once more before it listens on."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, replay


@contextlib.contextmanager
def start_fault_switch(
    *, token_lifetime: timedelta = timedelta(hours=1), stateless: bool = True
) -> Iterator[FaultSwitch]:
    """Serve both on one port, healthy until told otherwise; ``stateless``: the MCP server keeps no sessions."""
    with bind() as listener:
        origin = url_of(listener)
        accounts = AuthorizationServer(origin, resources={origin + PATH}, token_lifetime=token_lifetime)
        mcp_app = build_mcp_app(origin, issuer=accounts.issuer, ledger=accounts.ledger, stateless=stateless)
        switch = FaultSwitch(Provider(origin + PATH, accounts.issuer, TOOLS), accounts, accounts.app, mcp_app)
        with serve_asgi(switch, sock=listener):
            yield switch
