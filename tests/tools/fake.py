"""An MCP server of the year 2025 that answers whatever a test wants, page by page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.raw_server import Write, answer, read_request

Result = dict[str, Any] | bytes | Write
Lister = Callable[[str | None], Result]


def tool(name: str, description: str = "") -> dict[str, Any]:
    """One tool's definition."""
    schema = {"type": "object", "properties": {"x": {"type": ["string", "null"], "default": None}}, "x-more": [None]}
    return {"name": name, "description": description, "inputSchema": schema}


@dataclass
class Fake:
    """``tools`` makes the answer to tools/list from its cursor; ``first`` answers everything at once.

    ``replies`` has whole members of answers by method, ``events`` answers in streams, ``form`` makes an answer of JSON.
    """

    tools: Lister = lambda _cursor: {"tools": [tool("one")]}
    first: bytes | Write | None = None
    wait: Callable[[str], Awaitable[None]] | None = None
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: bool = False
    form: Callable[[bytes], bytes] | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Run on a free port; give the endpoint's URL."""
        handlers: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            handlers.add(task)
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._reply(await read_request(reader), writer)
            handlers.discard(task)
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        finally:
            server.close()
            for task in list(handlers):
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)

    async def _reply(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        verb = head.partition(b" ")[0].decode()
        message = json.loads(body) if body else {"method": verb}
        sent = [line.partition(b": ")[2].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"auth")]
        self.seen.append((message["method"], "".join(sent)))
        if self.wait is not None:
            await self.wait(message["method"])
        result = self.first or self.replies.get(message["method"]) or self._answer(message)
        if isinstance(result, dict):
            document = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), **result}).encode()
            if self.form is not None:
                result = self.form(document)
            elif self.events:
                result = page(b"data: " + document + b"\n\n", "text/event-stream", "Mcp-Session-Id: s1")
            else:
                result = page(document, "application/json", "Mcp-Session-Id: s1")
        if isinstance(result, bytes):
            writer.write(result)
            await writer.drain()
        else:
            await result(writer)

    def _answer(self, message: dict[str, Any]) -> Result:
        match message["method"]:
            case "initialize":
                about = {"name": "fake", "version": "1"}
                facts = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
                return {"result": facts}
            case "notifications/initialized":
                return answer(b"", status="202 Accepted")
            case "GET":
                return answer(b"", status="405 Method Not Allowed")
            case "DELETE":
                return answer(b"")
            case "tools/list":
                found = self.tools(message.get("params", {}).get("cursor"))
                return {"result": found} if isinstance(found, dict) else found
            case method:
                return {"error": {"code": -32601, "message": f"no {method}"}}


def page(body: bytes, kind: str, *lines: str, status: str = "200 OK") -> bytes:
    """A whole answer of a content type."""
    return answer(body, f"Content-Type: {kind}", *lines, status=status)


def endless(head: bytes, piece: bytes, kind: str) -> Write:
    """An answer that never ends."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return write
