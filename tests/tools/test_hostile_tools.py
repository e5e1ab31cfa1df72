"""MCP servers that mean harm, or are not MCP servers at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from latchpin.errors import (
    AccessRefused,
    AddressRefused,
    UpstreamBusy,
    UpstreamTimeout,
    UpstreamUnreachable,
    UpstreamUnreadable,
)
from latchpin.gateways.tools.sdk import MOST_BYTES, list_tools
from latchpin.outbound.credential import Credential
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.mcp_transport import Conversation
from latchpin.outbound.upstream import HttpUpstream, open_upstream

from tests.support.http_servers import Fake, Write, answer, endless, page, serve, settings, tool, writing


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with open_upstream(settings()) as opened:
        yield opened


async def ask(upstream: HttpUpstream, fake: Fake, *, within: float = 5) -> list[dict[str, Any]]:
    async with fake.serve() as url:
        return (await list_tools(upstream, url, Credential("token-of-alice"), within=within)).tools


async def test_every_page_and_what_the_server_said_word_for_word(upstream: HttpUpstream) -> None:
    pages = {None: ("a", "2"), "2": ("b", "3"), "3": ("a", None)}

    def list_page(cursor: str | None) -> dict[str, Any]:
        name, following = pages[cursor]
        return {"tools": [tool(name, f"from {cursor}")], **({"nextCursor": following} if following else {})}

    fake = Fake(list_page)
    assert await ask(upstream, fake) == [tool("a", "from None"), tool("b", "from 2")]
    assert {sent for _, sent in fake.seen} == {"Bearer token-of-alice"}
    assert ("DELETE", "Bearer token-of-alice") in fake.seen


async def test_a_thousand_tools_and_no_more(upstream: HttpUpstream) -> None:
    thousand = [tool(f"t{number}") for number in range(1_000)]
    assert len(await ask(upstream, Fake(lambda _: {"tools": thousand}))) == 1_000
    with pytest.raises(UpstreamUnreadable, match="more than 1,000 tools"):
        await ask(upstream, Fake(lambda _: {"tools": [*thousand, tool("one more")]}))


ENDINGS = {
    "the same page again": (
        lambda cursor: {"tools": [tool(f"t{cursor}")], "nextCursor": "x"},
        ["tNone", "tx"],
        "was there before",
    ),
    "the same page, empty": (lambda _: {"tools": [], "nextCursor": "x"}, [], "was there before"),
    "in a circle": (
        lambda cursor: {"tools": [tool(f"t{cursor}")], "nextCursor": {None: "1", "1": "2", "2": "1"}[cursor]},
        ["tNone", "t1", "t2"],
        "was there before",
    ),
    "another cursor each time, the same tools": (
        lambda cursor: {"tools": [tool("a")], "nextCursor": f"{cursor}x"},
        ["a"],
        "without another tool",
    ),
    "a cursor that is a number": (lambda _: {"tools": [tool("a")], "nextCursor": 7}, ["a"], "no text"),
    "a cursor that is an object": (lambda _: {"tools": [tool("a")], "nextCursor": {}}, ["a"], "no text"),
    "a cursor that is false": (lambda _: {"tools": [tool("a")], "nextCursor": False}, ["a"], "no text"),
    "a cursor that is null": (lambda _: {"tools": [tool("a")], "nextCursor": None}, ["a"], None),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_list_that_does_not_end_ends_with_what_it_gave(upstream: HttpUpstream, ending: str) -> None:
    lister, names, said = ENDINGS[ending]
    fake = Fake(lister)
    async with fake.serve() as url:
        listing = await list_tools(upstream, url, None, within=30)
    assert [found["name"] for found in listing.tools] == names
    assert [said in remark for remark in listing.remarks] == ([True] if said else [])
    assert [method for method, _ in fake.seen].count("tools/list") <= 5


GOOD = tool("good")
ODD: dict[str, tuple[Any, str, str]] = {
    "anyOf without a type": (
        {"name": "odd", "inputSchema": {"anyOf": [{"type": "object"}]}},
        "odd",
        "inputSchema.type",
    ),
    "no schema": ({"name": "odd"}, "odd", "inputSchema"),
    "schema null": ({"name": "odd", "inputSchema": None}, "odd", "inputSchema"),
    "schema true": ({"name": "odd", "inputSchema": True}, "odd", "inputSchema"),
    "schema a list": ({"name": "odd", "inputSchema": []}, "odd", "inputSchema"),
    "schema empty": ({"name": "odd", "inputSchema": {}}, "odd", "inputSchema.type"),
    "two types": ({"name": "odd", "inputSchema": {"type": ["object", "null"]}}, "odd", "inputSchema.type"),
    "output of an array": ({**tool("odd"), "outputSchema": {"type": "array"}}, "odd", "outputSchema.type"),
    "description a number": ({**tool("odd"), "description": 7}, "odd", "description"),
    "annotations a list": ({**tool("odd"), "annotations": []}, "odd", "annotations"),
    "meta a list": ({**tool("odd"), "_meta": []}, "odd", "_meta"),
    "name empty": (tool(""), "no. 2", "no name"),
    "name missing": ({"inputSchema": {"type": "object"}}, "no. 2", "no name"),
    "name a number": ({**tool("x"), "name": 7}, "no. 2", "no name"),
    "name too long": (tool("x" * 256), "x" * 100, "longer than 255"),
    "name of two lines": (tool("two\nlines"), "two\N{REPLACEMENT CHARACTER}lines", "cannot be seen"),
    "name with a NUL": (tool("nul\x00"), "nul\N{REPLACEMENT CHARACTER}", "cannot be seen"),
    "name with a zero width": (tool("a\u200bb"), "a\N{REPLACEMENT CHARACTER}b", "cannot be seen"),
    "name with a no-break space": (tool("a\xa0b"), "a\N{REPLACEMENT CHARACTER}b", "cannot be seen"),
    "name with a soft hyphen": (tool("a\xadb"), "a\N{REPLACEMENT CHARACTER}b", "cannot be seen"),
    "null": (None, "no. 2", "no object"),
    "text": ("odd", "no. 2", "no object"),
}
"""What is listed between two good tools, what it is called, and what is said of it."""


@pytest.mark.parametrize("events", [False, True], ids=["JSON", "events"])
@pytest.mark.parametrize("odd", ODD)
async def test_one_odd_tool_is_left_out_by_name_and_the_others_are_kept(
    upstream: HttpUpstream, odd: str, events: bool
) -> None:
    listed, name, said = ODD[odd]
    async with Fake(lambda _: {"tools": [GOOD, listed, tool("last")]}, events=events).serve() as url:
        listing = await list_tools(upstream, url, None, within=30)
    assert [found["name"] for found in listing.tools] == ["good", "last"]
    assert [left.name for left in listing.left_out] == [name]
    assert said in listing.left_out[0].reason


KEPT: list[dict[str, Any]] = [
    {**GOOD, "description": None, "title": None, "annotations": None, "outputSchema": None},
    tool("Größe 🙂"),
    tool("with blanks and / signs"),
    tool("a", "x" * 300_000),
    tool("half", "of a pair: \ud800"),
]


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: str(kept["name"]))
async def test_what_only_looks_odd_is_kept(upstream: HttpUpstream, kept: dict[str, Any]) -> None:
    async with Fake(lambda _: {"tools": [kept]}).serve() as url:
        listing = await list_tools(upstream, url, None, within=30)
    assert [found["name"] for found in listing.tools] == [kept["name"]]
    assert not listing.left_out
    json.dumps(listing.tools, ensure_ascii=False).encode()  # it can be stored, and shown


async def test_all_pages_together_stay_below_the_limit(upstream: HttpUpstream) -> None:
    fake = Fake(lambda cursor: {"tools": [tool(f"a{cursor}", "x" * 900_000)], "nextCursor": f"{cursor}x"})
    with pytest.raises(UpstreamUnreadable, match=f"larger than {MOST_BYTES:,} bytes"):
        await ask(upstream, fake)
    assert len([method for method, _ in fake.seen if method == "tools/list"]) == 6


@pytest.mark.parametrize(
    "response",
    [
        endless(b'{"jsonrpc": "', b"x" * 9_000, "application/json"),
        endless(b"", b": comment\n\n" * 900, "text/event-stream"),
        endless(b"", b"data: " + b"x" * 9_000, "text/event-stream"),
        writing(page(gzip.compress(bytes(30_000_000)), "application/json", "Content-Encoding: gzip")),
    ],
    ids=["JSON", "comments", "one event", "bomb"],
)
async def test_endless_answers(upstream: HttpUpstream, response: Write) -> None:
    with pytest.raises(UpstreamUnreadable):
        await ask(upstream, Fake(lambda _: response))


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (page(b"<h1>Welcome</h1>", "text/html"), "does not answer as an MCP server"),
        (page(b"<h1>Oops</h1>", "text/html", status="500 Oops"), "HTTP 500"),
        (page(b"gone", "text/html", status="404 Gone"), "HTTP 404"),
        (page(b"no", "text/html", status="403 No"), "HTTP 403"),
        (page(b"[]", "application/json"), "does not answer as an MCP server"),
        (page(b"{", "application/json"), "does not answer as an MCP server"),
        (page(b"[" * 100_000, "application/json"), "does not answer as an MCP server"),
        (page(b"", "text/plain", status="202 Accepted"), "does not answer as an MCP server"),
        (page(b"", "text/event-stream"), "does not answer as an MCP server"),
        (page(b"\x8b\x00\x80", "application/json", "Content-Encoding: br"), "was not asked for"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
    ],
)
@pytest.mark.parametrize("at", ["first", "tools/list"])
async def test_what_is_not_mcp(
    upstream: HttpUpstream, response: bytes, said: str, at: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake = Fake(first=response) if at == "first" else Fake(lambda _: response)
    with pytest.raises(UpstreamUnreadable, match=said) as caught:
        await ask(upstream, fake)
    assert "token-of-alice" not in caplog.text + str(caught.value)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "result",
    [
        {"tools": "none"},
        {"tools": {}},
        {},
    ],
)
async def test_results_of_the_wrong_shape(upstream: HttpUpstream, result: dict[str, Any]) -> None:
    with pytest.raises(UpstreamUnreadable):
        await ask(upstream, Fake(lambda _: result))


@pytest.mark.parametrize("held", ["initialize", "tools/list"])
async def test_a_server_that_keeps_us_waiting(upstream: HttpUpstream, held: str) -> None:
    async def wait(method: str) -> None:
        if method == held:
            await asyncio.Event().wait()

    with pytest.raises(UpstreamTimeout):
        await ask(upstream, Fake(wait=wait), within=0.5)


async def test_a_server_that_leaves_the_probe_open_is_spoken_to_as_one_of_2025(upstream: HttpUpstream) -> None:
    async def wait(method: str) -> None:
        if method == "server/discover":
            await asyncio.Event().wait()

    fake = Fake(wait=wait)
    assert await ask(upstream, fake, within=10) == [tool("one")]
    assert [method for method, _ in fake.seen][:2] == ["server/discover", "initialize"]


ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "JSON with a byte order mark": lambda body: page(BOM_UTF8 + body, "application/json"),
    "JSON as text/plain": lambda body: page(body, "text/plain; charset=utf-8"),
    "JSON as text/json": lambda body: page(body, "text/json"),
    "JSON of a kind": lambda body: page(body, "application/vnd.mcp+json"),
    "JSON without a type": answer,
    "JSON as bytes": lambda body: page(body, "application/octet-stream"),
    "events with a byte order mark": lambda body: page(BOM_UTF8 + b"data: " + body + b"\n\n", "text/event-stream"),
    "events without the last blank line": lambda body: page(b"data: " + body, "text/event-stream"),
    "events as text/plain": lambda body: page(b"event: message\ndata: " + body + b"\n\n", "text/plain"),
    "JSON as events": lambda body: page(body, "text/event-stream"),
    "events as JSON": lambda body: page(b"data: " + body + b"\n\n", "application/json"),
    "under no id": lambda body: page(_under(None, body), "application/json"),
    "under another id": lambda body: page(_under("another", body), "application/json"),
}


def _under(request_id: str | None, body: bytes) -> bytes:
    return json.dumps({**json.loads(body), "id": request_id}).encode()


@pytest.mark.parametrize("form", ANSWERS)
async def test_an_answer_in_an_odd_form_is_read_as_what_it_means(upstream: HttpUpstream, form: str) -> None:
    """The probe is answered with an error in that form, and all others with what they ask for."""
    assert await ask(upstream, Fake(form=ANSWERS[form]), within=30) == [tool("one")]


async def test_a_page_for_people_is_not_taken_for_json(upstream: HttpUpstream) -> None:
    with pytest.raises(UpstreamUnreadable, match="Unexpected content type"):
        await ask(upstream, Fake(form=lambda body: page(body, "text/html")), within=30)


@pytest.mark.parametrize("method", ["initialize", "tools/list"])
async def test_an_error_to_nobody_is_told_at_once(upstream: HttpUpstream, method: str) -> None:
    error = {"error": {"code": -32000, "message": "not today"}, "id": None}
    with pytest.raises(UpstreamUnreadable, match="not today"):
        await ask(upstream, Fake(replies={method: error}), within=60)


async def test_a_version_that_nobody_knows_is_named(upstream: HttpUpstream) -> None:
    facts = {"protocolVersion": "1999-01-01", "capabilities": {}, "serverInfo": {"name": "f", "version": "1"}}
    with pytest.raises(UpstreamUnreadable, match="1999-01-01"):
        await ask(upstream, Fake(replies={"initialize": {"result": facts}}), within=30)


@pytest.mark.parametrize(
    ("status", "lines", "seconds"),
    [
        ("429 Too Many", ["Retry-After: 120"], 120),
        ("429 Too Many", [], 30),
        ("503 Away", ["Retry-After: 5"], 5),
    ],
)
async def test_a_server_that_asks_for_a_pause(
    upstream: HttpUpstream, status: str, lines: list[str], seconds: int
) -> None:
    with pytest.raises(UpstreamBusy, match="HTTP") as caught:
        await ask(upstream, Fake(lambda _: answer(b"", *lines, status=status)), within=30)
    assert caught.value.retry_after == seconds


async def test_a_server_that_does_not_let_go(upstream: HttpUpstream) -> None:
    async def wait(method: str) -> None:
        if method == "DELETE":
            await asyncio.Event().wait()

    assert await ask(upstream, Fake(wait=wait)) == [tool("one")]


async def test_the_token_stays_with_its_origin(upstream: HttpUpstream) -> None:
    async with serve(writing(answer(b"{}", "Content-Type: application/json"))) as other:
        elsewhere = answer(b"", f"Location: {other.url}/mcp?x=secret", status="307 Moved")
        with pytest.raises(UpstreamUnreadable) as caught:
            await ask(upstream, Fake(first=elsewhere))
        assert other.requests == []
    assert "secret" not in str(caught.value)


async def test_the_transport_itself_keeps_to_one_origin(upstream: HttpUpstream) -> None:
    async with serve(writing(answer())) as ours, serve(writing(answer())) as other:
        deadline = asyncio.get_running_loop().time() + 5
        talk = Conversation(ours.url, deadline, ByteBudget(1_000), credential=Credential("token-of-alice"))
        async with upstream.open_mcp_client(talk) as http:
            await http.get(f"{ours.url}/mcp", headers={"Authorization": "Bearer foreign"})
            with pytest.raises(httpx2.RemoteProtocolError, match="another origin"):
                await http.get(f"{other.url}/mcp", headers={"Authorization": "Bearer foreign"})
    assert b"authorization: bearer token-of-alice" in ours.requests[0].lower()
    assert other.requests == []


async def test_a_challenge_for_more_scopes(upstream: HttpUpstream) -> None:
    line = 'WWW-Authenticate: Bearer error="insufficient_scope", scope="files:read files:write"'
    with pytest.raises(AccessRefused, match="files:read files:write") as caught:
        await ask(upstream, Fake(lambda _: answer(b"", line, status="403 Forbidden")))
    assert (caught.value.error, caught.value.scopes) == ("insufficient_scope", ("files:read", "files:write"))


async def test_a_dead_server(upstream: HttpUpstream) -> None:
    with pytest.raises(UpstreamUnreachable, match="Connection refused"):
        await list_tools(upstream, "http://127.0.0.1:1/mcp", None)


async def test_a_private_address() -> None:
    async with open_upstream(settings(private=False)) as guarded:
        with pytest.raises(AddressRefused, match="loopback"):
            await list_tools(guarded, "https://127.0.0.1:1/mcp", Credential("token-of-alice"))


async def test_our_own_cancellation_is_not_an_error_of_theirs(upstream: HttpUpstream) -> None:
    asked = asyncio.Event()

    async def wait(_method: str) -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(ask(upstream, Fake(wait=wait)))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
