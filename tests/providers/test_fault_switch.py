"""Each fault does what its name says, and the switch remembers who asked what."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.providers import FaultSwitch, PlainClient, faults
from tests.providers.clients import answer_in
from tests.providers.faults import ENDPOINTS, Fault
from tests.providers.servers import sign_in


@pytest.fixture
def metadata_url(fault_switch: FaultSwitch) -> str:
    return fault_switch.provider.issuer.replace("/accounts", "/.well-known/oauth-authorization-server/accounts")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.status(503, "later", retry_after="7"), (503, "text/plain", "later")),
        (faults.answer([1, 2]), (200, "application/json", "[1, 2]")),
        (faults.oauth_error("invalid_grant", "spent"), (400, "application/json", '{"error": "invalid_grant"')),
        (faults.html(), (200, "text/html", "<h1>Welcome")),
        (faults.redirect("http://127.0.0.1:9/"), (302, None, "")),
        (faults.changed(issuer=7), (200, "application/json", '{"issuer": 7')),
        (faults.without("issuer"), (200, "application/json", '{"authorization_endpoint"')),
        (faults.form_encoded(), (200, "application/x-www-form-urlencoded", "issuer=http")),
    ],
)
async def test_a_fault_holds_until_healed(
    fault_switch: FaultSwitch,
    metadata_url: str,
    http: httpx.AsyncClient,
    fault: Fault,
    expected: tuple[int, str | None, str],
) -> None:
    status, kind, start = expected
    healthy = await http.get(metadata_url)
    fault_switch.arm("metadata", fault)
    for _ in range(2):
        spoilt = await http.get(metadata_url)
        assert (spoilt.status_code, spoilt.headers.get("content-type")) == (status, kind)
        assert spoilt.text.startswith(start)
    fault_switch.heal()
    assert (await http.get(metadata_url)).content == healthy.content
    assert [asked.method for asked in fault_switch.asked("metadata")] == ["GET"] * 4


async def test_a_fault_may_last_for_one_request(
    fault_switch: FaultSwitch, metadata_url: str, http: httpx.AsyncClient
) -> None:
    fault_switch.arm("metadata", faults.status(500), times=1)
    assert [(await http.get(metadata_url)).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("fault", [faults.cut(), faults.lost()])
async def test_half_an_answer_is_a_broken_connection(
    fault_switch: FaultSwitch, metadata_url: str, http: httpx.AsyncClient, fault: Fault
) -> None:
    fault_switch.arm("metadata", fault)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(metadata_url)


@pytest.mark.parametrize(("fault", "enough"), [(faults.drip(0.001), 20), (faults.endless(), 10_000_000)])
async def test_a_body_goes_on_as_long_as_it_is_read(
    fault_switch: FaultSwitch, metadata_url: str, http: httpx.AsyncClient, fault: Fault, enough: int
) -> None:
    fault_switch.arm("metadata", fault)
    seen = 0
    async with http.stream("GET", metadata_url) as response:
        async for chunk in response.aiter_raw():
            seen += len(chunk)
            if seen > enough:
                break
    assert seen > enough


async def test_a_bomb_is_small_on_the_wire(
    fault_switch: FaultSwitch, metadata_url: str, http: httpx.AsyncClient
) -> None:
    fault_switch.arm("metadata", faults.bomb(megabytes=20))
    async with http.stream("GET", metadata_url) as response:
        wire = sum([len(chunk) async for chunk in response.aiter_raw()])
    assert wire < 30_000
    assert len((await http.get(metadata_url)).json()["issuer"]) == 20 << 20


async def test_a_hanging_server_never_answers(
    fault_switch: FaultSwitch, metadata_url: str, http: httpx.AsyncClient
) -> None:
    fault_switch.arm("metadata", faults.hang())
    with pytest.raises(httpx.ReadTimeout):
        await http.get(metadata_url, timeout=httpx.Timeout(60, read=0.3))


async def test_a_held_answer_comes_when_the_gate_opens(
    fault_switch: FaultSwitch, metadata_url: str, http: httpx.AsyncClient
) -> None:
    gate = threading.Event()
    fault_switch.arm("metadata", faults.held(gate))
    waiting = asyncio.create_task(http.get(metadata_url))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    gate.set()
    assert (await waiting).status_code == 200


async def test_a_lost_token_answer_leaves_the_code_used(
    fault_switch: FaultSwitch, http: httpx.AsyncClient, browser: Browser
) -> None:
    client = PlainClient(http, fault_switch.provider.mcp_url)
    await client.discover()
    await client.register()
    answer = await client.authorize(browser)
    fault_switch.arm("token", faults.lost(), times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.redeem(answer["code"])
    assert (await client.redeem(answer["code"])).json()["error"] == "invalid_grant"


async def test_the_redirect_back_can_be_spoilt(
    fault_switch: FaultSwitch, http: httpx.AsyncClient, browser: Browser
) -> None:
    client = PlainClient(http, fault_switch.provider.mcp_url)
    await client.discover()
    await client.register()
    for fault, expected in (
        (faults.callback_with(iss="https://evil.example"), {"iss": "https://evil.example"}),
        (faults.callback_without("iss", "code"), {}),
    ):
        fault_switch.arm("consent", fault)
        await browser.open(client.authorization_url())
        answer = answer_in((await sign_in(browser, follow=False)).headers["location"])
        assert {name: value for name, value in answer.items() if name not in {"state", "code"}} == expected
        assert answer["state"] == "here & there"
    assert "code" not in answer


async def test_requests_are_remembered(fault_switch: FaultSwitch, http: httpx.AsyncClient, browser: Browser) -> None:
    client = PlainClient(http, fault_switch.provider.mcp_url)
    tokens = await client.obtain(browser)
    [token] = fault_switch.asked("token")
    assert (token.method, token.form["code_verifier"]) == ("POST", client.verifier)
    assert token.headers["authorization"].startswith("Basic ")
    [register] = fault_switch.asked("register")
    assert register.json["client_name"] == "Plain"
    [authorize] = fault_switch.asked("authorize")
    assert authorize.query["resource"] == fault_switch.provider.mcp_url
    assert [asked.endpoint for asked in fault_switch.asked()][:4] == [
        "mcp",
        "resource-metadata",
        "metadata",
        "register",
    ]
    assert tokens["refresh_token"]
    fault_switch.forget()
    assert fault_switch.asked() == []


def test_an_unknown_endpoint_is_an_error(fault_switch: FaultSwitch) -> None:
    with pytest.raises(ValueError, match="toker is none of"):
        fault_switch.arm("toker", faults.hang())


async def test_every_endpoint_is_told_apart(fault_switch: FaultSwitch, http: httpx.AsyncClient) -> None:
    origin = fault_switch.provider.mcp_url.removesuffix("/mcp")
    for path, name in ENDPOINTS.items():
        fault_switch.arm(name, faults.status(599))
        assert (await http.get(origin + path)).status_code == 599
        fault_switch.heal(name)
