"""MCP servers that mean harm, or are not MCP servers at all."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from latchpin.errors import AccessRefused, AddressRefused, ProviderTimeout, ProviderUnreachable, ProviderUnreadable
from latchpin.outbound.decoding import Allowance
from latchpin.outbound.mcp_transport import Conversation
from latchpin.outbound.upstream import HttpUpstream, open_upstream
from latchpin.tools import sdk as tools
from latchpin.tools.sdk import MOST_BYTES, list_tools

from tests.http.wire import Write, answer, serve, settings, writing
from tests.tools.fake import Fake, endless, page, tool


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with open_upstream(settings()) as opened:
        yield opened


async def ask(upstream: HttpUpstream, fake: Fake, *, within: float = 5) -> list[dict[str, Any]]:
    async with fake.serve() as url:
        return await list_tools(upstream, url, "token-of-alice", within=within)


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
    with pytest.raises(ProviderUnreadable, match="more than 1,000 tools"):
        await ask(upstream, Fake(lambda _: {"tools": [*thousand, tool("one more")]}))


async def test_a_page_that_comes_again(upstream: HttpUpstream) -> None:
    fake = Fake(lambda _: {"tools": [], "nextCursor": "again"})
    with pytest.raises(ProviderUnreadable, match="one page again"):
        await ask(upstream, fake)
    assert [method for method, _ in fake.seen].count("tools/list") == 2


async def test_pages_that_never_end(upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MOST_TOOLS", 20)
    fake = Fake(lambda cursor: {"tools": [], "nextCursor": f"{cursor}x"})
    with pytest.raises(ProviderUnreadable, match="more than 20 tools or pages"):
        await ask(upstream, fake)
    assert [method for method, _ in fake.seen].count("tools/list") == 20


async def test_all_pages_together_stay_below_the_limit(upstream: HttpUpstream) -> None:
    fake = Fake(lambda cursor: {"tools": [tool("a", "x" * 900_000)], "nextCursor": f"{cursor}x"})
    with pytest.raises(ProviderUnreadable, match=f"larger than {MOST_BYTES:,} bytes"):
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
    with pytest.raises(ProviderUnreadable):
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
        (page(b"{}", "application/json", "Content-Encoding: br"), "was not asked for"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
    ],
)
@pytest.mark.parametrize("at", ["first", "tools/list"])
async def test_what_is_not_mcp(
    upstream: HttpUpstream, response: bytes, said: str, at: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake = Fake(first=response) if at == "first" else Fake(lambda _: response)
    with pytest.raises(ProviderUnreadable, match=said) as caught:
        await ask(upstream, fake)
    assert "token-of-alice" not in caplog.text + str(caught.value)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "result",
    [
        {"tools": [{"name": 7, "inputSchema": {}}]},
        {"tools": "none"},
        {},
        {"tools": [tool("")]},
        {"tools": [tool("x" * 256)]},
        {"tools": [tool("nul\x00")]},
        {"tools": [tool("two\nlines")]},
    ],
)
async def test_results_of_the_wrong_shape(upstream: HttpUpstream, result: dict[str, Any]) -> None:
    with pytest.raises(ProviderUnreadable):
        await ask(upstream, Fake(lambda _: result))


@pytest.mark.parametrize("held", ["server/discover", "tools/list"])
async def test_a_server_that_keeps_us_waiting(upstream: HttpUpstream, held: str) -> None:
    async def wait(method: str) -> None:
        if method == held:
            await asyncio.Event().wait()

    with pytest.raises(ProviderTimeout):
        await ask(upstream, Fake(wait=wait), within=0.5)


async def test_a_server_that_does_not_let_go(upstream: HttpUpstream) -> None:
    async def wait(method: str) -> None:
        if method == "DELETE":
            await asyncio.Event().wait()

    assert await ask(upstream, Fake(wait=wait)) == [tool("one")]


async def test_the_token_stays_with_its_origin(upstream: HttpUpstream) -> None:
    async with serve(writing(answer(b"{}", "Content-Type: application/json"))) as other:
        elsewhere = answer(b"", f"Location: {other.url}/mcp?x=secret", status="307 Moved")
        with pytest.raises(ProviderUnreadable) as caught:
            await ask(upstream, Fake(first=elsewhere))
        assert other.requests == []
    assert "secret" not in str(caught.value)


async def test_the_transport_itself_keeps_to_one_origin(upstream: HttpUpstream) -> None:
    async with serve(writing(answer())) as ours, serve(writing(answer())) as other:
        deadline = asyncio.get_running_loop().time() + 5
        talk = Conversation(ours.url, deadline, Allowance(1_000), access_token="token-of-alice")
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
    with pytest.raises(ProviderUnreachable, match="Connection refused"):
        await list_tools(upstream, "http://127.0.0.1:1/mcp", None)


async def test_a_private_address() -> None:
    async with open_upstream(settings(private=False)) as guarded:
        with pytest.raises(AddressRefused, match="loopback"):
            await list_tools(guarded, "https://127.0.0.1:1/mcp", "t")


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
