"""The demo's servers are for this machine alone."""

from __future__ import annotations

import httpx
import pytest
from latchpin.errors import SettingsError
from latchpin_demo.loopback import LoopbackOnly, bind, serving, url_of
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await PlainTextResponse("hello")(scope, receive, send)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example.com"])
def test_other_addresses_are_not_bound(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback only, not on") as caught:
        bind(host)
    assert host in str(caught.value)


async def answer_to(host: str, peer: tuple[str, int]) -> int:
    transport = httpx.ASGITransport(LoopbackOnly(hello), client=peer)
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get("http://demo.invalid/", headers={"Host": host})).status_code


@pytest.mark.parametrize(
    ("host", "peer", "status"),
    [
        ("127.0.0.1:5", "127.0.0.1", 200),
        ("localhost", "127.0.0.1", 200),
        ("[::1]:5", "::1", 200),
        ("[::1]", "::1", 200),
        ("rebound.example:5", "127.0.0.1", 403),
        ("", "127.0.0.1", 403),
        ("127.0.0.1:5", "192.0.2.7", 403),
    ],
)
async def test_both_ends_must_be_this_machine(host: str, peer: str, status: int) -> None:
    assert await answer_to(host, (peer, 1)) == status


async def test_servers_come_and_go_in_one_loop() -> None:
    async with serving(hello, bind()) as origin, httpx.AsyncClient(trust_env=False, timeout=60) as client:
        assert (await client.get(origin)).text == "hello"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(origin)


async def test_a_server_that_cannot_start_is_an_error() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with bind() as listener, pytest.raises(RuntimeError, match=f"{url_of(listener)} did not start"):
        async with serving(broken, listener):
            raise AssertionError
