"""Tools as servers listed them, by which calls are judged: whose they are, and how much of them is held."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from latchpin.errors import UpstreamUnreadable
from latchpin.model import Caller, Gateway
from latchpin_mcp.message import parse_message
from latchpin_proxy import definitions as module
from latchpin_proxy.definitions import Definitions
from latchpin_testing import samples

NOW = datetime(2026, 11, 30, tzinfo=UTC)
GATEWAY: Gateway = samples.gateway(NOW)
WORK, HOME = (Caller("alice@example.com", account=each) for each in ("work", "home"))
MESSAGE = parse_message(
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}', [(b"content-type", b"application/json")]
)


class Listing:
    """A way to a server whose list has a page behind each page; ``events``: each piece is a byte of a stream."""

    def __init__(self, *, events: bool = False, pages: int = 1_000) -> None:
        self.asked = 0
        self.events = events
        self.pages = pages

    async def open(self, request: Any) -> Any:
        self.asked += 1
        result: dict[str, Any] = {"tools": [{"name": f"t{self.asked}"}]}
        if self.asked < self.pages:
            result["nextCursor"] = str(self.asked)
        body = json.dumps({"jsonrpc": "2.0", "id": "latchpin-tools", "result": result}).encode()
        kind = b"text/event-stream" if self.events else b"application/json"
        whole = b": hello\n\n" + b"data: " + body + b"\n\n" if self.events else body

        async def pieces() -> Any:
            for at in range(len(whole)):
                yield whole[at : at + 1]

        return SimpleNamespace(
            status=200, raw_headers=lambda: [(b"content-type", kind)], pieces=pieces, close=lambda: None
        )


def of(server: Listing) -> Definitions:
    return Definitions(cast("Any", server), lambda: NOW)


def request(caller: Caller) -> Any:
    made: Any = SimpleNamespace(gateway=GATEWAY, caller=caller, headers=(), body=b"")
    return made


@pytest.fixture(autouse=True)
def _plain_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_listing", lambda request, *_: request)


async def test_what_was_listed_to_one_account_decides_for_no_other():
    server = Listing(pages=1)
    known = of(server)
    known.note(GATEWAY, WORK, [{"name": "x"}])
    assert await known.find(request(WORK), MESSAGE, "x") == {"name": "x"}
    assert await known.find(request(HOME), MESSAGE, "x") is None
    assert await known.find(request(replace(WORK, account=None)), MESSAGE, "x") is None
    assert server.asked == 2


@pytest.mark.parametrize("events", [False, True])
async def test_a_list_is_read_in_whatever_pieces_it_comes(events: bool):
    server = Listing(events=events, pages=3)
    assert await of(server).find(request(WORK), MESSAGE, "t3") == {"name": "t3"}


async def test_a_list_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_READ", 1_000)
    server = Listing()
    with pytest.raises(UpstreamUnreadable):
        await of(server).find(request(WORK), MESSAGE, "x")
    assert 5 < server.asked < 20


async def test_a_server_that_makes_up_tools_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_TOOLS", 10)
    server = Listing(pages=1)
    known = of(server)
    for at in range(20):
        known.note(GATEWAY, WORK, [{"name": f"{at}-{each}"} for each in range(5)])
    assert await known.find(request(WORK), MESSAGE, "19-4") == {"name": "19-4"}
    assert server.asked == 0
    assert await known.find(request(WORK), MESSAGE, "0-0") is None
    assert server.asked == 1
