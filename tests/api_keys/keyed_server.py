"""An MCP server of the official SDK that wants a key in a header field, and remembers what arrived."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from latchpin_demo.loopback import bind, url_of
from mcp.server.mcpserver import MCPServer

from tests.servers.processes import serve_asgi

Message = MutableMapping[str, Any]
Answer = tuple[int, tuple[tuple[bytes, bytes], ...]]


@dataclass
class KeyedServer:
    """The server. ``fields`` are the lines by which a key is shown that holds; ``refusal`` is what others get.

    Attributes:
        arrived: the header fields of each request, names in lower case.
        instead: what every request gets, where a test says so.
    """

    origin: str
    app: Any
    fields: set[tuple[str, str]]
    refusal: int = 401
    arrived: list[list[tuple[str, str]]] = field(default_factory=list)
    instead: Answer | None = None
    before: Callable[[], Awaitable[None]] | None = None

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def shown(self, name: str) -> set[str]:
        """What came in fields of that name."""
        return {value for fields in self.arrived for found, value in fields if found == name.lower()}

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fields = [(name.decode().lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.arrived.append(fields)
        if self.before is not None:
            await self.before()
        status, headers = self.instead or (self.refusal, ())
        if self.instead is not None or not self.fields & set(fields):
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def say(text: str) -> str:
    """Say it again."""
    return text


@contextlib.contextmanager
def start_keyed(*fields: tuple[str, str], refusal: int = 401) -> Iterator[KeyedServer]:
    """Serve with two tools; ``fields`` are (name in lower case, value) of keys that hold."""
    server: MCPServer[None] = MCPServer("keyed", log_level="WARNING")
    server.tool()(add)
    server.tool()(say)
    with bind() as listener:
        app = server.streamable_http_app(json_response=True, stateless_http=True)
        keyed = KeyedServer(url_of(listener), app, set(fields), refusal)
        with serve_asgi(keyed, sock=listener):
            yield keyed
