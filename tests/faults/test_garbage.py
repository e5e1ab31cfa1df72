"""Requests of every wrong shape, at every route: a clear 4xx, or a 5xx that names a cause. Never a 500."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

pytestmark = pytest.mark.needs("latchpin_memory_store")

NOWHERE = "0" * 32
ODD_IDS = [
    NOWHERE, "x", "F" * 32, "0" * 31, "0" * 5000, "../../etc/passwd", "%00", "%2e%2e%2f", "a b", "💥",
    "' OR 1=1 --", "<script>", "{id}", "null", "-1", "0" * 32 + "\n", "%ff%fe",
]  # fmt: skip
PATHS = [
    ("GET", "/oauth/authorize/{}"),
    ("GET", "/oauth/status/{}"),
    ("POST", "/oauth/fetch-tools/{}"),
    ("DELETE", "/oauth/tokens/{}"),
    ("GET", "/gateways/{}"),
    ("PUT", "/gateways/{}"),
    ("DELETE", "/gateways/{}"),
    ("GET", "/gateways/{}/tools"),
    ("GET", "/oauth/registered-clients/{}"),
    ("DELETE", "/oauth/registered-clients/{}"),
]


def check(answer: httpx.Response, what: object) -> None:
    """Every refusal is explained; nothing is a 500."""
    assert answer.status_code < 500 or answer.status_code in {502, 503, 504}, (what, answer.status_code, answer.text)
    if (
        answer.content
        and answer.status_code >= 400
        and answer.headers["content-type"].startswith("application/problem+json")
    ):
        problem = answer.json()
        assert problem["cause"] != "internal", what
        assert problem["title"], what
        assert problem["remedy"], what


def routes_of(gateway: InnerGateway) -> list[tuple[str, str]]:
    """Every method and path, whether the API's description has it or not."""
    from fastapi.routing import APIRouter
    from latchpin.plugins.hookspecs import ROUTES
    from latchpin.plugins.host import Plugins
    from latchpin.web import routes_api, routes_gateways, routes_health, routes_oauth, routes_pages, routes_people

    routers: list[APIRouter] = [
        each.router for each in (routes_api, routes_gateways, routes_health, routes_oauth, routes_pages, routes_people)
    ]
    routers += Plugins().values(ROUTES)
    everything = [*gateway.app.routes, *(route for router in routers for route in router.routes)]
    return sorted(
        {(method, route.path) for route in everything if isinstance(route, Route) for method in route.methods or ()}
    )


@pytest.fixture
async def admin(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator with a bearer token: nothing is refused for who asks."""
    headers = await gateway.bearer(ADMIN)
    async with gateway.client(None, **headers) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), PATHS, ids=lambda text: text)
async def test_ids_that_are_none_are_404_and_outsiders_hear_401_first(method, path, gateway, admin):
    async with gateway.client(None, Accept="application/json") as outsider:
        for odd in ODD_IDS:
            url = BASE + path.format(quote(odd, safe="%."))
            body = {"json": {"name": "x"}} if method == "PUT" else {}
            answer = await admin.request(method, url, **body)
            assert answer.status_code in {404, 405}, (odd, answer.status_code, answer.text)
            check(answer, (method, odd))
            if answer.status_code == 404 and answer.json()["title"] == "Not found" and "/" not in odd:
                hidden = await outsider.request(method, url, **body)
                assert hidden.status_code in {401, 404}, odd
                assert hidden.status_code == 401 or "endpoint" in hidden.json()["detail"], odd


async def test_wrong_methods_are_405_everywhere(gateway, admin):
    seen, routes = 0, set(routes_of(gateway))
    for path in {path for _, path in routes}:
        url = BASE + re.sub(r"{[^}]*}", NOWHERE, path)
        for method in ("PATCH", "TRACE", "PROPFIND", "FOO"):
            if (method, path) in routes:
                continue
            answer = await admin.request(method, url)
            assert answer.status_code == 405, (method, url)
            check(answer, (method, url))
            seen += 1
    assert seen > 60


SIZES = [
    ("a long query", {"url": f"{BASE}/oauth/callback?state={'x' * 20_000}"}, 414),
    ("a long path", {"url": f"{BASE}/oauth/status/{'x' * 20_000}"}, 414),
    ("a large header", {"url": f"{BASE}/gateways", "headers": {"x-large": "x" * 70_000}}, 431),
    ("many headers", {"url": f"{BASE}/gateways", "headers": {f"x-{n}": "1" for n in range(120)}}, 431),
    ("a large body", {"method": "POST", "url": f"{BASE}/gateways", "content": b"x" * (1 << 21)}, 413),
    ("a wrong length", {"url": f"{BASE}/gateways", "headers": {"content-length": "many"}}, 400),
    ("101 statuses", {"url": f"{BASE}/oauth/status?" + "&".join(["gateway_ids=x"] * 101)}, 400),
    ("no statuses", {"url": f"{BASE}/oauth/status"}, 422),
]


@pytest.mark.parametrize(("name", "request_", "status"), SIZES, ids=[name for name, _, _ in SIZES])
async def test_what_is_too_large_is_told_so(name, request_, status, admin):
    answer = await admin.request(**({"method": "GET"} | request_))
    assert answer.status_code == status, answer.text
    check(answer, name)


DEEP = b"[" * 200_000
BODIES = [
    b"", b"{", b"[]", b"null", b"1e999", b'"x"', DEEP, b'{"url": ' + DEEP, b"\xff\xfe", b'{"url": "\\ud800"}',
    b'{"url": 5}', b'{"url": "javascript:alert(1)"}', b'{"url": "https://x/\\u0000"}',
    b'{"name": "x"}', b'{"url": null}',
    b'{"url": "https://[::1"}', b'{"url": "https://x:99999/"}', b'{"url": "https://a.example", "allowed_users": [5]}',
    b'{"url": "https://a.example", "oauth_config": []}', b'{"url": "https://a.example", "made_up": 1}',
    b'{"url": "https://a.example", "name": "\\u0000"}',
    b'{"url": "https://a.example", "oauth_config": {"scopes": [["x"]]}}',
    b'{"url": "https://a.example", "oauth_config": {"extra_authorize_params": {"state": "mine"}}}',
]  # fmt: skip


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", "x"])
async def test_bodies_that_are_no_gateway_are_400_with_the_reason(kind, gateway, admin):
    gateway_id = await gateway.add("https://mcp.example.com/mcp")
    for body in BODIES:
        for method, path in (("POST", "/gateways"), ("PUT", f"/gateways/{gateway_id}")):
            answer = await admin.request(method, BASE + path, content=body, headers={"content-type": kind})
            harmless = method == "PUT" and body in {b'{"name": "x"}', b'{"url": null}'}
            expected = 200 if harmless else 400
            assert answer.status_code == expected, (method, body[:60], answer.text)
            check(answer, body[:60])
    assert len((await admin.get(f"{BASE}/gateways")).json()["gateways"]) == 1


async def test_forms_that_are_none_are_4xx(gateway: InnerGateway):
    async with gateway.client(ALICE, Origin=BASE) as alice:
        for path in ("/login", "/logout", f"/oauth/fetch-tools/{NOWHERE}", f"/oauth/tokens/{NOWHERE}/disconnect"):
            for kind in (
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "application/json",
                "",
            ):
                for body in (b"", b"token=%ff%00&csrf_token=\xff", b"--x\r\n\r\n", DEEP):
                    answer = await alice.post(BASE + path, content=body, headers={"content-type": kind})
                    assert 400 <= answer.status_code < 500, (path, kind, body[:20], answer.status_code)
                    check(answer, (path, kind, body[:20]))


# -- everything the API describes and everything it does not, at random ---------------------------------------

TEXT = st.text(max_size=40) | st.sampled_from([*ODD_IDS, "", "state", "🜁" * 30])
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
HEADERS = ("accept", "content-type", "cookie", "authorization", "origin", "sec-fetch-site", "x-csrf-token", "host",
           "x-forwarded-host", "x-test-user", "content-length", "referer", "if-match", "range")  # fmt: skip
LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@st.composite
def garbage(draw: st.DrawFn, routes: list[tuple[str, str]]) -> dict[str, Any]:
    """One request to a route that exists, with nothing in it that has to make sense."""
    method, path = draw(st.sampled_from(routes))
    method = draw(st.sampled_from([method, method, method, "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]))
    path = re.sub(r"{[^}]*}", lambda _: quote(draw(TEXT), safe="%"), path)
    query = "&".join(
        f"{quote(draw(st.sampled_from(QUERY)))}={quote(draw(TEXT))}" for _ in range(draw(st.integers(0, 4)))
    )
    names = draw(st.lists(st.sampled_from(HEADERS), max_size=4))
    body = draw(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
    headers = [(name, draw(LATIN | st.sampled_from(["text/html", "application/json", BASE, "null"]))) for name in names]
    return {"method": method, "url": f"{BASE}{path}?{query}", "headers": headers, "content": body}


EXAMPLES = 250
QUERY = ("state", "code", "error", "error_description", "iss", "gateway_ids", "user", "next", "token", "result", "x")


async def test_nothing_at_random_is_a_500(gateway: InnerGateway, log):
    routes = routes_of(gateway)
    assert len(routes) > 25
    bearer = await gateway.bearer(ADMIN)
    identities: list[dict[str, str]] = [bearer, {"X-Test-User": ALICE}, {}]
    tried: list[tuple[dict[str, Any], dict[str, str]]] = []

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(garbage(routes), st.sampled_from(identities))
    def collect(request: dict[str, Any], identity: dict[str, str]) -> None:
        tried.append((request, identity))

    collect()
    async with gateway.client(None) as client:
        for request, identity in tried:
            try:
                prepared = client.build_request(**request)
            except (httpx.InvalidURL, UnicodeError):
                continue
            prepared.headers.update(identity)
            check(await client.send(prepared), request)
            client.cookies.clear()
    assert "Unexpected" not in log()
    assert "Traceback" not in log()
