"""What the tests of rules share: rules made in one line, and a server whose messages a test sees."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from latchpin.model import Caller
from latchpin.sdk.gateway import parse_body
from latchpin_demo.loopback import bind, url_of
from latchpin_policy.book import Book, open_book
from latchpin_policy.entry import GroupBody, RuleBody
from latchpin_policy.rule import Rule

from tests.proxy.conftest import read, reply
from tests.servers import serve_asgi
from tests.support.gateway_in_process import ADMIN, InnerGateway

NEEDS = ("latchpin_aggregator", "latchpin_memory_store", "latchpin_policy", "latchpin_proxy")
OPERATOR = Caller(ADMIN, is_admin=True, via="local")
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def rule(effect: str, tools: str = "", **more: Any) -> Rule:
    """A rule, as it would be kept."""
    said = {"who": (), "gateway": "", "when": "always", "scopes": (), "note": "", "id": "0a0b0c0d"} | more
    return Rule(effect=effect, tools=tuple(tools.split()), created_at=NOW, updated_at=NOW, **said)


async def book_of(gateway: InnerGateway) -> Book:
    return await open_book(gateway.application.services.context)


async def rules(gateway: InnerGateway, *bodies: dict[str, Any]) -> list[Rule]:
    """Make rules; they hold in this process at once."""
    book = await book_of(gateway)
    known = {each.id for each in await gateway.application.gateways.list(OPERATOR)}
    return [await book.create_rule(parse_body(RuleBody, body), OPERATOR, gateways=known) for body in bodies]


async def group(gateway: InnerGateway, name: str, *members: str) -> None:
    """Make a group, or put others in the place of its members."""
    body = parse_body(GroupBody, {"members": list(members)})
    await (await book_of(gateway)).put_group(name, body, OPERATOR)


Answering = Callable[["Recorded", dict[str, Any]], Awaitable[tuple[list[tuple[str, str]], bytes]]]


@dataclass
class Recorded:
    """A server that takes whatever comes, and lists the tools that a test gives it.

    Attributes:
        tools: as it lists them.
        pages: how many tools a page of the list has; 0: it has one.
        events: it answers with an event stream.
        wraps: makes another body of a list's answer.
        says: the Content-Type and body of its answer to whatever is posted; None: it answers as it should.
        calls: names of the tools that were called.
        bodies: all that came.
    """

    url: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    pages: int = 0
    events: bool = False
    wraps: Callable[[bytes], bytes] | None = None
    says: tuple[str, bytes] | None = None
    calls: list[object] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def count(self, method: str) -> int:
        return sum(f'"{method}"'.encode() in body for body in self.bodies)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read(receive)
        self.bodies.append(body)
        if scope["method"] == "GET":
            await self._answer(send, self._listed({}, "0"), events=True)
            return
        if self.says is not None:
            await reply(send, 200, [("content-type", self.says[0])], self.says[1])
            return
        try:
            message = json.loads(body)
        except ValueError:
            message = {}
        method = message.get("method") if isinstance(message, dict) else None
        if method == "tools/list":
            await self._answer(send, self._listed(message.get("params") or {}, message.get("id")), events=self.events)
            return
        if method in {"prompts/list", "resources/list", "resources/templates/list"}:
            error = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}}
            await self._answer(send, json.dumps(error).encode(), events=False)
            return
        if method == "tools/call":
            self.calls.append(message["params"].get("name"))
        done = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
        done |= {
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "ttlMs": 0,
            "cacheScope": "private",
        }
        answer = {"jsonrpc": "2.0", "id": message.get("id") if isinstance(message, dict) else None, "result": done}
        await self._answer(send, json.dumps(answer).encode(), events=self.events)

    def _listed(self, params: dict[str, Any], asked: object) -> bytes:
        result: dict[str, Any] = {"tools": self.tools, "resultType": "complete"}
        if self.pages:
            at = int(params.get("cursor", "0"))
            result["tools"] = self.tools[at : at + self.pages]
            if at + self.pages < len(self.tools):
                result["nextCursor"] = str(at + self.pages)
        body = json.dumps({"jsonrpc": "2.0", "id": asked, "result": result}).encode()
        return self.wraps(body) if self.wraps is not None else body

    async def _answer(self, send: Any, body: bytes, *, events: bool) -> None:
        if events:
            lines = b"".join(b"data: " + line + b"\n" for line in body.split(b"\n"))
            await reply(send, 200, [("content-type", "text/event-stream")], b"id: 1\n" + lines + b"\n")
            return
        await reply(send, 200, [("content-type", "application/json")], body)


def tool(name: str, **annotations: Any) -> dict[str, Any]:
    """A tool's definition."""
    definition: dict[str, Any] = {"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object"}}
    return definition | ({"annotations": annotations} if annotations else {})


@pytest.fixture
def server() -> Iterator[Recorded]:
    """A server of 2026-07-28 with three tools."""
    recorded = Recorded(tools=[tool("get_note", readOnlyHint=True), tool("put_note"), tool("delete_note")])
    with bind() as listener, serve_asgi(recorded, lifespan="off", sock=listener):
        recorded.url = f"{url_of(listener)}/mcp"
        yield recorded
