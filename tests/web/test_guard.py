"""The guard: limits, headers, hosts, the default secret, and what nobody foresaw."""

import json
import logging

import httpx
import pytest
from latchpin.settings.core import DEFAULT_SECRET

from tests.web.conftest import BASE, HTML, open_gateway

LOCAL = {"base_url": "http://localhost:4444", "host": "127.0.0.1"}


# -- headers ------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_security_headers(client):
    for path in ("/login", "/nothing-here", "/broken", "/anybody"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"].startswith("max-age=")
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "base-uri 'none'" in policy


async def test_http_on_loopback_is_not_promised_to_be_https():
    async with open_gateway(**LOCAL) as gateway, gateway.client(peer="127.0.0.1") as client:
        assert "strict-transport-security" not in (await client.get("/login")).headers


# -- sizes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/anybody?q=" + "x" * 17_000, {}, 414),
        ("/" + "x" * 17_000, {}, 414),
        ("/anybody", {"x-big": "x" * 66_000}, 431),
        ("/anybody", {f"x-{n}": "1" for n in range(120)}, 431),
        ("/anybody", {"content-length": "1048577"}, 413),
        ("/anybody", {"content-length": "many"}, 400),
    ],
)
async def test_what_is_too_large_is_refused_with_its_limit(client, path, headers, status):
    answer = await client.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["cause"] == "request-too-large"
    assert problem["status"] == status
    assert problem["detail"]


async def test_what_is_just_within_the_limits_is_served(client):
    headers = {"x-big": "x" * 60_000}
    assert (await client.get("/anybody?q=" + "x" * 16_000, headers=headers)).status_code == 200


async def test_a_body_that_does_not_say_its_length_is_counted(client):
    async def endless():
        for _ in range(20):
            yield b" " * 100_000

    answer = await client.post("/echo", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["cause"] == "request-too-large"


async def test_a_deeply_nested_body_is_a_clear_refusal(client, caplog):
    body = b"[" * 200_000 + b"]" * 200_000
    answer = await client.post("/echo", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in caplog.text


# -- what nobody foresaw ------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTML])
async def test_an_unexpected_failure_shows_the_requests_id_and_nothing_else(client, caplog, headers):
    answer = await client.get("/broken?code=s3cret", headers=headers)
    assert answer.status_code == 500
    assert "nobody outside" not in answer.text
    assert "Traceback" not in answer.text
    errors = [record for record in caplog.records if record.exc_info]
    assert len(errors) == 1
    assert errors[0].request_id in answer.text
    assert len(errors[0].request_id) == 32
    assert "s3cret" not in caplog.text


# -- the access line ----------------------------------------------------------------------------------


async def test_the_access_line_has_no_query_and_no_line_break(client, caplog):
    caplog.set_level(logging.INFO, "latchpin.access")
    await client.get("/anybody?code=s3cret&state=st4te")
    await client.get("/x%0AINFO%20-%20forged")
    lines = [record.getMessage() for record in caplog.records if record.name == "latchpin.access"]
    assert lines[0].startswith("203.0.113.7 GET /anybody 200 ")
    assert len(lines) == 2
    assert not any("s3cret" in line or "st4te" in line or "\n" in line for line in lines)


async def test_the_access_line_names_the_request_of_a_problem(client, caplog):
    caplog.set_level(logging.INFO, "latchpin.access")
    told = (await client.get("/fails/provider")).json()["request_id"]
    assert caplog.records[-1].getMessage().endswith(f"request {told}")


# -- a default secret (threats 11 and 21) -------------------------------------------------------------


async def _weak(peer="127.0.0.1", secret=DEFAULT_SECRET, headers=None, host="localhost:4444", path="/health"):
    async with open_gateway(auth_encryption_secret=secret, **LOCAL) as gateway, gateway.client(peer=peer) as client:
        return await client.get(path, headers={"host": host, **(headers or {})})


@pytest.mark.parametrize("host", ["localhost:4444", "127.0.0.1:4444", "[::1]:4444"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_a_default_secret_serves_this_machine(peer, host):
    assert (await _weak(peer, host=host, path="/login")).status_code == 200


@pytest.mark.parametrize(
    "case",
    [
        {"peer": "192.168.1.20"},
        {"peer": "::ffff:192.168.1.20"},
        {"peer": ""},
        {"host": "evil.example"},
        {"host": "evil.example:4444"},
        {"host": "localhost"},
        {"host": "localhost:80"},
        {"host": "localhost.evil.example:4444"},
        {"host": "localhost:4444@evil.example"},
        {"host": ""},
        {"headers": {"x-forwarded-for": "127.0.0.1"}},
        {"headers": {"X-Forwarded-Host": "localhost:4444"}},
        {"headers": {"x-forwarded-anything": "1"}},
        {"headers": {"forwarded": "for=127.0.0.1"}},
        {"headers": {"via": "1.1 proxy"}},
        {"headers": {"x-real-ip": "127.0.0.1"}},
        {"host": "evil.example", "headers": HTML},
        {"host": "evil.example", "secret": "short"},
    ],
)
@pytest.mark.parametrize("path", ["/login", "/health", "/oauth/callback?code=a&state=b"])
async def test_a_default_secret_serves_nobody_else(case, path):
    answer = await _weak(**case, path=path)
    assert answer.status_code == 503
    assert "latchpin secret generate" in answer.text
    assert answer.headers["retry-after"]


async def test_a_repeated_host_header_is_not_taken_with_a_default_secret():
    headers = [("host", "localhost:4444"), ("host", "localhost:4444")]
    gateway = open_gateway(**LOCAL, auth_encryption_secret=DEFAULT_SECRET)
    async with gateway as opened, opened.client(peer="127.0.0.1") as client:
        assert (await client.get("/login", headers=headers)).status_code == 503


async def test_a_real_secret_serves_everybody(client):
    assert (await client.get("/login", headers={"x-forwarded-for": "10.0.0.1"})).status_code == 200


# -- another host name --------------------------------------------------------------------------------


async def test_a_browser_that_comes_by_another_name_is_sent_to_base_url(gateway):
    async with gateway.client(base_url="https://alias.example.com") as client:
        answer = await client.get("/oauth/authorize/abc?x=%2Fy&z=a%20b", headers=HTML)
        assert answer.status_code == 307
        assert answer.headers["location"] == "https://gateway.example.com/oauth/authorize/abc?x=%2Fy&z=a%20b"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "/%0d%0aset-cookie:a=b"])
async def test_the_way_to_base_url_never_leaves_it(gateway, path):
    scope_client = gateway.client(base_url="https://alias.example.com")
    async with scope_client as client:
        answer = await client.send(
            client.build_request(
                "GET", httpx.URL("https://alias.example.com").copy_with(raw_path=path.encode()), headers=HTML
            )
        )
    assert answer.status_code == 307
    assert answer.headers["location"].startswith("https://gateway.example.com/")
    assert "\r" not in answer.headers["location"]
    assert set(answer.headers) >= {"location"}
    assert "a=b" not in answer.headers.get("set-cookie", "")


async def test_programs_and_forms_are_not_redirected(gateway):
    async with gateway.client(base_url="https://alias.example.com") as client:
        assert (await client.get("/anybody")).status_code == 200
        assert (await client.post("/login", headers=HTML)).status_code == 403


async def test_a_proxy_that_rewrites_host_does_not_make_a_loop(gateway, caplog):
    async with gateway.client(base_url="http://upstream:8000") as client:
        assert (await client.get("/login", headers=HTML)).status_code == 307
        assert (await client.get("/login", headers=HTML)).status_code == 200
    assert "let the proxy pass the Host header on" in caplog.text


async def test_host_and_forwarding_headers_build_nothing(client):
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"}
    answer = await client.get("/me", headers=headers)
    assert "evil.example" not in json.dumps(dict(answer.headers)) + answer.text


# -- a path prefix ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/tools/login", "/login"])
async def test_a_prefix_in_base_url_may_be_stripped_on_the_way_or_not(path):
    async with open_gateway(base_url=f"{BASE}/tools") as gateway, gateway.client(base_url=BASE) as client:
        answer = await client.get(path, headers=HTML)
        assert answer.status_code == 200
        assert 'href="/tools/static/latchpin.css"' in answer.text


async def test_a_browser_keeps_the_prefix_when_it_is_redirected():
    async with open_gateway(base_url=f"{BASE}/tools") as gateway, gateway.client(base_url=BASE) as client:
        answer = await client.get("/tools/admin/gateways", headers=HTML)
        assert answer.headers["location"] == f"{BASE}/tools/login?next=%2Fadmin%2Fgateways"
