"""The endpoint is a protected resource: who is let in, and how the others are told what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.settings.core import CoreSettings
from latchpin.web.protected import build_challenge, build_resource_metadata, resource_metadata_url
from latchpin_proxy.resource import endpoint_path
from latchpin_proxy.resources import names_endpoint

from tests.proxy.conftest import ScriptedServer, begin, open_endpoint, reply, start_proxy
from tests.support.gateway_process import ALICE, USER_HEADER, DeployedGateway

GATEWAY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def nobody(proxy: DeployedGateway):
    async with httpx.AsyncClient(base_url=proxy.url, trust_env=False, timeout=60) as client:
        yield client


async def test_without_an_identity_the_challenge_leads_to_the_metadata(nobody: httpx.AsyncClient, opened, scripted):
    answer = await nobody.post(opened, content=b"{}")
    assert answer.status_code == 401
    assert answer.json()["cause"] == "not-signed-in"
    assert answer.json()["remedy"].startswith("This URL is for MCP clients")
    challenge = answer.headers["www-authenticate"]
    assert "error=" not in challenge
    (where,) = re.findall(r'^Bearer resource_metadata="([^"]+)"$', challenge)
    assert where == opened.replace("/gateways/", "/.well-known/oauth-protected-resource/gateways/")
    document = (await nobody.get(where)).json()
    assert document["resource"] == opened
    assert document["bearer_methods_supported"] == ["header"]
    assert scripted.arrived == []


@pytest.mark.parametrize("user", [None, ALICE])
async def test_a_person_who_opens_it_in_a_browser_is_told_what_it_is_for(
    proxy: DeployedGateway, opened, scripted, user
):
    async with proxy.browser(user) as browser:
        page = await browser.open(opened)
        assert (page.status, page.title) == (401, "This address is for MCP clients")
        assert f"<code>{opened}</code>" in page.text
        assert page.headers["www-authenticate"].startswith("Bearer resource_metadata=")
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        nowhere = await browser.open(opened.replace(opened.split("/")[-2], GATEWAY))
        assert nowhere.title == page.title
    assert scripted.arrived == []


@pytest.mark.parametrize("claims", [{"aud": "https://another.example"}, {"exp": 1}, {"iss": "https://evil.example"}])
async def test_a_token_for_another_audience_is_refused(
    nobody: httpx.AsyncClient, proxy: DeployedGateway, opened, scripted, claims
):
    headers = {"Authorization": f"Bearer {proxy.bearer(ALICE, **claims)}"}
    answer = await nobody.post(opened, content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert scripted.arrived == []


FITTING = ["{here}", ["{here}"], ["https://another.example", "{here}"], "{base}"]
NOT_FITTING = [
    "{there}",  # a gateway beside this one
    ["{there}", "https://another.example"],
    "{here}/",
    "{here}?a=1",
    "{base}/gateways",
    "{base}/",
    "{here} {base}",
    "",
    [],
    [["{here}"]],
    {"{here}": True},
]


def about(audience: Any, **urls: str) -> Any:
    if isinstance(audience, str):
        return audience.format(**urls)
    if isinstance(audience, dict):
        return {name.format(**urls): value for name, value in audience.items()}
    return [about(part, **urls) for part in audience]


@pytest.mark.parametrize(
    ("audience", "status"), [*((fits, 200) for fits in FITTING), *((fits, 401) for fits in NOT_FITTING)], ids=str
)
async def test_the_audience_may_be_exactly_the_resource_that_the_metadata_names(
    nobody: httpx.AsyncClient,
    proxy: DeployedGateway,
    opened: str,
    scripted: ScriptedServer,
    *,
    audience: Any,
    status: int,
):
    there = await open_endpoint(proxy, scripted)
    document = (await nobody.get(resource_metadata_url(proxy.url, endpoint_path(opened.split("/")[-2])))).json()
    token = proxy.bearer(ALICE, aud=about(audience, here=document["resource"], there=there, base=proxy.url))
    answer = await nobody.post(opened, content=b"{}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status, answer.text
    assert len(scripted.arrived) == (status == 200)


async def test_a_token_for_one_endpoint_opens_no_other_route(
    nobody: httpx.AsyncClient, proxy: DeployedGateway, opened: str
):
    """Over everything that is described: it is answered as one that nobody signed."""
    gateway = opened.split("/")[-2]
    paths = (await nobody.get("/openapi.json")).json()["paths"]
    asked = {(method, re.sub(r"\{\w+\}", gateway, path)) for path, methods in paths.items() for method in methods}
    assert len(asked) > 15
    refused = 0
    for method, path in sorted(asked):
        statuses = []
        for token in (proxy.bearer(ALICE, aud=opened), proxy.bearer(ALICE) + "x"):
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            statuses.append((await nobody.request(method, path, headers=headers)).status_code)
        assert statuses[0] == statuses[1], (method, path)
        refused += statuses[0] == 401
    assert refused > 10


async def test_a_session_cookie_does_not_count(tmp_path: Path, scripted: ScriptedServer):
    with start_proxy(tmp_path, TRUSTED_USER_HEADER="", TRUSTED_PROXIES="") as proxy:  # so that a first link is made
        link, opened = _login_link(proxy), await open_endpoint(proxy, scripted)
        async with httpx.AsyncClient(base_url=proxy.url, trust_env=False, timeout=60) as browser:
            page = await browser.get(link)
            token = re.search(r'name="token" value="([^"]+)"', page.text)
            assert token is not None
            signed_in = await browser.post(
                "/login", data={"token": token[1]}, headers={"origin": proxy.url, "sec-fetch-site": "same-origin"}
            )
            assert signed_in.status_code == 303, signed_in.text
            assert browser.cookies
            assert (await browser.get("/gateways", headers={"accept": "application/json"})).status_code == 200
            for method in ("GET", "POST", "DELETE"):
                assert (await browser.request(method, opened)).status_code == 401
        assert scripted.arrived == []


def _login_link(proxy: DeployedGateway) -> str:
    line = proxy.process.wait_for_output("/login?token=")
    found = re.search(r"http\S+/login\?token=\S+", line)
    assert found is not None
    return found[0]


async def test_the_trusted_proxys_header_counts(nobody: httpx.AsyncClient, opened: str, scripted: ScriptedServer):
    answer = await nobody.post(opened, content=b"{}", headers={USER_HEADER: ALICE})
    assert answer.status_code == 200
    assert scripted.arrived[0].all(USER_HEADER.lower()) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "{base}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "{base}"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "{base}"}, 200),
        ({}, 200),
    ],
)
async def test_pages_of_other_origins_are_refused(alice: httpx.AsyncClient, opened, scripted, headers, status):
    base = opened.partition("/gateways")[0]
    headers = {name: value.format(base=base) for name, value in headers.items()}
    answer = await alice.post(opened, content=b"{}", headers=headers)
    assert answer.status_code == status
    assert len(scripted.arrived) == (status == 200)


async def test_a_foreign_origin_is_refused_before_anything_is_told(nobody: httpx.AsyncClient, opened: str):
    assert (await nobody.post(opened, headers={"Origin": "https://evil.example"})).status_code == 403


@pytest.mark.parametrize("gateway", [GATEWAY, "not-an-id", "..%2f..%2fhealth"])
async def test_unknown_gateways(alice: httpx.AsyncClient, nobody: httpx.AsyncClient, gateway: str):
    assert (await nobody.post(f"/gateways/{gateway}/mcp")).status_code in {401, 404}
    assert (await alice.post(f"/gateways/{gateway}/mcp")).status_code == 404


async def test_a_gateway_that_is_not_for_this_caller_reads_as_unknown(
    alice, proxy: DeployedGateway, scripted: ScriptedServer
):
    gateway = await proxy.add(scripted.url, auth_type="none", allowed_users=["bob@example.com"])
    assert (await alice.post(f"/gateways/{gateway}/mcp")).status_code == 404
    assert scripted.arrived == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_are_refused(alice: httpx.AsyncClient, opened: str, scripted, method: str):
    assert (await alice.request(method, opened)).status_code == 405
    assert scripted.arrived == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_do_not_reach_the_caller(alice: httpx.AsyncClient, opened: str, scripted, status: int):
    async def script(_scope, _receive, send):
        await reply(send, status, [("location", "https://elsewhere.example/mcp")], b"")

    scripted.script = script
    answer = await alice.post(opened, content=b"{}")
    assert answer.status_code == 502
    assert "location" not in answer.headers
    assert f"HTTP {status}" in answer.json()["detail"]


async def test_a_server_that_wants_a_token_where_none_is_configured(alice: httpx.AsyncClient, opened: str, scripted):
    async def script(_scope, _receive, send):
        await reply(send, 401, [("www-authenticate", 'Bearer resource_metadata="https://up.example"')], b"")

    scripted.script = script
    answer = await alice.post(opened, content=b"{}")
    assert (answer.status_code, answer.json()["cause"]) == (502, "server-refused")
    assert "www-authenticate" not in answer.headers
    assert len(scripted.arrived) == 1


async def test_a_server_that_is_away(alice: httpx.AsyncClient, proxy: DeployedGateway):
    gateway = await proxy.add("http://127.0.0.1:1/mcp", auth_type="none")
    answer = await alice.post(f"/gateways/{gateway}/mcp", content=b"{}")
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_hang_up_without_an_answer(alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer):
    async def script(_scope, receive, send):
        await begin(send, 200, [("content-length", "10")])

    scripted.script = script
    answer = await alice.post(opened, content=b"{}")
    assert (answer.status_code, answer.json()["cause"]) == (502, "provider-unreachable")


async def test_a_hang_up_after_some_of_an_answer(alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer):
    async def script(_scope, receive, send):
        await begin(send, 200, [("content-length", "10")])
        await send({"type": "http.response.body", "body": b"half"})

    scripted.script = script
    with pytest.raises(httpx.RemoteProtocolError):
        await alice.post(opened, content=b"{}")


def test_a_path_prefix_goes_behind_the_well_known_part():
    base = "https://host.example/gw"
    assert resource_metadata_url(base, endpoint_path(GATEWAY)) == (
        f"https://host.example/.well-known/oauth-protected-resource/gw/gateways/{GATEWAY}/mcp"
    )
    assert names_endpoint(f"/gateways/{GATEWAY}/mcp")
    assert not names_endpoint("/gateways/mcp")
    assert not names_endpoint(f"/gw/gateways/{GATEWAY}/mcp")
    assert not names_endpoint("/gateways/elsewhere/mcp")


def test_the_authorization_server_is_named_where_there_is_one():
    settings = CoreSettings(_env_file=None)
    named = build_resource_metadata(settings, "/mcp", ["https://idp.example"])
    assert named["authorization_servers"] == ["https://idp.example"]
    assert "authorization_servers" not in build_resource_metadata(settings, "/mcp", [])


def test_nothing_breaks_out_of_a_challenge():
    challenge = build_challenge("https://host.example", "/mcp", scope='a" b\\c\r\nSet-Cookie: x=1')
    assert '\\"' in challenge
    assert "\n" not in challenge
    assert "\r" not in challenge
