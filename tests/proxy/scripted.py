"""An upstream that does what a test says, and remembers what arrived; also a token endpoint for its gateway."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from latchpin_demo.loopback import bind, url_of
from starlette.types import Receive, Scope, Send

from tests.servers import serve_asgi

__all__ = ["Arrived", "Script", "ScriptedServer", "read", "reply", "start_scripted"]

Script = Callable[[Scope, Receive, Send], Awaitable[None]]
Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request. Header names are lower case."""

    method: str
    query: str
    headers: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found == name]


@dataclass
class ScriptedServer:
    """``script`` answers every request but those to ``/token``."""

    origin: str
    script: Script
    arrived: list[Arrived] = field(default_factory=list)
    tokens_issued: int = 0

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/token":
            await read(receive)
            self.tokens_issued += 1
            token = {"access_token": f"issued-{self.tokens_issued}", "token_type": "Bearer", "expires_in": 3600}
            await reply(send, 200, [("content-type", "application/json")], json.dumps(token).encode())
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.arrived.append(Arrived(scope["method"], scope["query_string"].decode(), headers))
        await self.script(scope, receive, send)


async def read(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(pieces)


async def reply(send: Send, status: int, headers: Fields, body: bytes) -> None:
    await begin(send, status, [*headers, ("content-length", str(len(body)))])
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, status: int, headers: Fields) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def tell_hash(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the hash of the body, never holding it."""
    digest, more = hashlib.sha256(), True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    await reply(send, 200, [("content-type", "text/plain")], digest.hexdigest().encode())


@contextlib.contextmanager
def start_scripted(script: Script = tell_hash) -> Iterator[ScriptedServer]:
    with bind() as listener:
        server = ScriptedServer(url_of(listener), script)
        with serve_asgi(server, lifespan="off", sock=listener):
            yield server
