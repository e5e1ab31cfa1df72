"""The pages: what stands on them, in which words, and that nothing foreign runs on them (threats 8, 14 and 18)."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.errors import AuthorizationRequired, LatchpinError, NotSignedIn
from latchpin.gateways.tools.listing import LeftOut
from latchpin.gateways.tools.toolbox import Fetched
from latchpin.model import OAuthConfig, TokenGrant
from latchpin.oauth.status import is_authorized, status_of
from latchpin.tokens.sealing import seal_grant
from latchpin.web import pages
from latchpin.web.cookies import set_browser_cookie
from latchpin_testing import MovedClock, samples

from tests.web.conftest import HTML, cipher_of
from tests.web.test_login import sign_in

HOSTILE = "<script>alert(1)</script><img src=//evil.example onerror=x>\"'{{7*7}}"
EMAIL = "ada@example.com"


async def add_gateway(gateway, *, status="missing", tools=None, cipher=None, **changes):
    now, records = gateway.clock(), gateway.services.records
    row = samples.gateway(now, **{"allowed_users": (), "auth_type": "oauth", "oauth": OAuthConfig(), **changes})
    await records.gateways.put(row)
    if status != "missing":
        left = {"valid": 3600, "expired": -1, "needs_reauth": 3600, "renewable": -1}[status]
        token = samples.stored_token(
            now,
            gateway_id=row.id,
            app_user_email=EMAIL,
            expires_at=now + timedelta(seconds=left),
            needs_reauth=status == "needs_reauth",
        )
        grant = TokenGrant("an-access-token", "Bearer", token.expires_at, "more" if status == "renewable" else None)
        token = seal_grant(cipher or gateway.services.cipher, replace(token, refresh_token=None), grant)
        await records.tokens.put(token, replacing=None)
    if tools:
        await gateway.services.tools.replace(row.id, EMAIL, tools)
    return row


async def gateways_page(gateway, client):
    await sign_in(client, gateway, EMAIL)
    return (await client.get("/admin/gateways", headers=HTML)).text


# -- the gateways page --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("missing", "Not connected"),
        ("valid", "Connected"),
        ("expired", "Expired"),
        ("renewable", "Connected, renewed at next use"),
        ("needs_reauth", "Authorize again"),
    ],
)
async def test_the_list_says_how_i_am_connected(gateway, client, status, text):
    row = await add_gateway(gateway, status=status)
    page = await gateways_page(gateway, client)
    assert f">{text}</span>" in page
    assert f'href="/oauth/authorize/{row.id}"' in page
    assert f'action="/oauth/fetch-tools/{row.id}"' in page
    assert (f'action="/oauth/tokens/{row.id}/disconnect"' in page) == (status != "missing")
    assert re.findall(r">(Authorize|Reconnect)</a>", page) == ["Reconnect" if text.startswith("Con") else "Authorize"]


async def test_a_token_under_a_secret_that_is_gone_asks_to_authorize_again(gateway, client):
    row = await add_gateway(gateway, status="valid", cipher=cipher_of("an-earlier-secret-of-at-least-32-bytes"))
    page = await gateways_page(gateway, client)
    assert ">Authorize again</span>" in page
    assert f'action="/oauth/tokens/{row.id}/disconnect"' in page


async def test_the_list_asks_for_one_gateways_tools_after_the_others(gateway, client, monkeypatch):
    kind = type(gateway.services.tools)
    listed, asking = kind.list, []

    async def slow_list(records, gateway_id, email, label):
        asking.append(gateway_id)
        assert len(asking) == 1, "several gateways' tools are asked for at once"
        await asyncio.to_thread(lambda: None)
        asking.remove(gateway_id)
        return await listed(records, gateway_id, email, label)

    monkeypatch.setattr(kind, "list", slow_list)
    for name in "abc":
        await add_gateway(gateway, name=name, tools={f"tool_{name}": {"name": f"tool_{name}"}})
    page = await gateways_page(gateway, client)
    assert all(f"tool_{name}" in page for name in "abc")


async def test_the_guides_walk_is_there_in_its_words(gateway, client):
    await add_gateway(gateway)
    page = await gateways_page(gateway, client)
    home = (await client.get("/", headers=HTML)).text
    assert "<h1>Admin Panel</h1>" in home
    assert ">Gateways</a>" in home
    assert ">Authorize</a>" in page
    assert ">Fetch Tools</button>" in page
    assert "auth_type = oauth" in page


@pytest.mark.parametrize(
    "changes", [{"auth_type": "none", "oauth": None}, {"oauth": OAuthConfig(grant_type="client_credentials")}]
)
async def test_authorize_is_only_where_a_person_can(gateway, client, changes):
    await add_gateway(gateway, **changes)
    page = await gateways_page(gateway, client)
    assert "/oauth/authorize/" not in page
    assert "Fetch Tools" in page


async def test_another_users_token_and_tools_are_not_mine(gateway, client):
    await add_gateway(gateway, status="valid", tools={"secret_tool": {"name": "secret_tool"}})
    await sign_in(client, gateway, "bob@example.com")
    page = (await client.get("/admin/gateways", headers=HTML)).text
    assert "Not connected" in page
    assert "secret_tool" not in page


async def test_hostile_names_and_descriptions_are_only_text(gateway, client):
    await add_gateway(
        gateway,
        name=HOSTILE,
        url=f"https://mcp.example.com/{HOSTILE}",
        tools={HOSTILE: {"name": HOSTILE, "description": HOSTILE}, "odd": {"name": "odd", "description": {"a": 1}}},
    )
    page = await gateways_page(gateway, client)
    assert "&lt;script&gt;alert(1)" in page
    assert "{{7*7}}" in page
    assert_inert(page)


# -- every page ---------------------------------------------------------------------------------------


def assert_inert(page):
    page = re.sub(r'<script src="/static/(authorization|authorize|copy)\.js" defer></script>', "", page)
    assert not re.search(r"<script|<img src=//|<style|javascript:|\son[a-z]+\s*=\s*[\"']?[a-z]+\(", page, re.IGNORECASE)
    for attributes in re.findall(r"<[a-z][^<>]*>", page):
        bare = re.sub(r'"[^"]*"', "", attributes)
        assert not re.search(r"\s(on\w+|style)\s*=", bare), attributes
    for link in re.findall(r'(?:src|href|action)="([^"]*)"', page):
        assert link.startswith(("/", "#")), link
        assert not link.startswith("//"), link


def every_page():
    around = {"base": "", "csrf_token": "t", "caller": HOSTILE}
    gateway = samples.gateway(MovedClock()(), name=HOSTILE, url=HOSTILE, pinned_issuer=HOSTILE)
    tools = [pages.ShownTool(HOSTILE, HOSTILE)]
    yield pages.success(around=around, email=HOSTILE, gateway=gateway, mcp_url=f"https://gateway.example.com/{HOSTILE}")
    found = Fetched(gateway, 0, 0, 0, [], left_out=[LeftOut(HOSTILE, HOSTILE)], remarks=[HOSTILE])
    yield pages.fetched(found, tools, around=around)
    for error in (LatchpinError(HOSTILE), NotSignedIn(HOSTILE), AuthorizationRequired("", authorize_url="/oauth/x")):
        yield pages.failure(error, detail=HOSTILE, trace=("flow", "f" * 32), around=around)


@pytest.mark.parametrize("page", list(every_page()))
def test_no_page_runs_or_loads_anything_foreign(page):
    text = page.body.decode()
    assert_inert(text)
    assert "&lt;script&gt;" in text or "Authorize" in text


async def test_pages_of_people_are_inert_too(gateway, client):
    await sign_in(client, gateway, EMAIL)
    for path in ("/", "/login", "/logout", "/admin/gateways", "/problems/dcr-failed", "/nothing"):
        assert_inert((await client.get(path, headers=HTML)).text)


def test_the_success_page_has_the_guides_title_and_names_who_and_what():
    page = pages.success(
        around={"base": "/tools", "csrf_token": "t"},
        email=EMAIL,
        gateway=samples.gateway(MovedClock()(), id="a" * 32, name="Linear", pinned_issuer="https://as.example.com"),
    ).body.decode()
    assert "<title>OAuth Authorization Successful</title>" in page
    assert f"<strong>{EMAIL}</strong> is now connected to <strong>Linear</strong>" in page
    assert "https://as.example.com" in page
    assert f'action="/tools/oauth/fetch-tools/{"a" * 32}"' in page
    assert ">Fetch Tools</button>" in page


URL = "https://gateway.example.com/gateways/x/mcp"


@pytest.mark.parametrize(("url", "shown"), [(URL, 1), (None, 0)])
def test_the_url_for_mcp_clients_can_be_copied_where_a_plugin_serves_them(url, shown):
    row = samples.gateway(MovedClock()())
    success = pages.success(around={"base": "/tools"}, email=EMAIL, gateway=row, mcp_url=url)
    fetched = pages.fetched(Fetched(row, 0, 0, 0, []), [], around={"base": "/tools"}, mcp_url=url)
    for page in (success, fetched):
        text = page.body.decode()
        assert text.count(f"<code>{URL}</code>") == shown
        assert text.count(f'data-copy="{URL}"') == shown
        assert '<script src="/tools/static/copy.js" defer></script>' in text
        assert "script-src 'self';" in page.headers["content-security-policy"]


def test_a_text_that_is_no_unicode_does_not_break_a_page():
    page = pages.failure(LatchpinError("\udcff"), detail="\udcff", trace=("flow", "f" * 32), around={"base": ""})
    assert b"<h1>" in page.body


# -- files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["nothing.css", "..%2fpages.py", "%2e%2e/pages.py", "licenses", ".", "latchpin.css%00"]
)
async def test_no_other_file_can_be_had(client, name):
    assert (await client.get(f"/static/{name}")).status_code == 404


# -- status -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime", "left", "expected"),
    [
        (3600, 3600, "valid"),
        (3600, 301, "valid"),
        (3600, 300, "near_expiry"),
        (60, 13, "valid"),
        (60, 12, "near_expiry"),
        (3600, 1, "near_expiry"),
        (3600, 0, "expired"),
        (3600, -1, "expired"),
    ],
)
def test_a_tokens_status_follows_its_times(lifetime, left, expected):
    now = MovedClock()()
    expires = now + timedelta(seconds=left)
    token = samples.stored_token(now, expires_at=expires, updated_at=expires - timedelta(seconds=lifetime))
    assert status_of(token, now) == expected
    assert is_authorized(token, now)  # it has a refresh token


def test_a_token_that_is_missing_or_spent_authorizes_nothing():
    now = MovedClock()()
    spent = samples.stored_token(now, needs_reauth=True)
    old = samples.stored_token(now, expires_at=now, refresh_token=None)
    assert [status_of(each, now) for each in (None, spent, old)] == ["missing", "needs_reauth", "expired"]
    assert not any(is_authorized(each, now) for each in (None, spent, old))


# -- the browser's cookie -----------------------------------------------------------------------------


async def test_the_browser_cookie_outlives_the_state_and_is_one_of_ours(gateway, client):
    from fastapi import Request
    from fastapi.responses import Response
    from latchpin.web.cookies import browser_cookie, new_browser_cookie

    @gateway.app.get("/begin")
    async def begin(request: Request):
        value = browser_cookie(request) or new_browser_cookie()
        response = Response(value)
        set_browser_cookie(request, response, value)
        return response

    first = await client.get("/begin")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("__Host-latchpin-browser=")
    lasting = int(re.search(r"Max-Age=(\d+)", cookie)[1])
    assert lasting >= gateway.services.settings.state_ttl_seconds + 3600
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert (await client.get("/begin")).text == first.text
    for planted in ("", "short", "x" * 43 + "!", "é", "A" * 5000):
        async with gateway.client() as other:
            raw = [(b"cookie", f"__Host-latchpin-browser={planted}".encode())]
            assert (await other.get("/begin", headers=raw)).text != planted
