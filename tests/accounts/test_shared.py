"""One account for all: an administrator connects it, whom the gateway allows uses it, and nobody else gets further."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin.model import COMPANY

from tests.accounts.conftest import ADMIN, ALICE, ASKED, BOB, NEEDS, SUCCESS, Server, said
from tests.providers import faults, sign_in
from tests.support.gateway_in_process import BASE

pytestmark = pytest.mark.needs(*NEEDS)
CAUSE = "shared-connection-missing"


@pytest.fixture
async def ready(shared: Server) -> Server:
    """The administrator has connected it, as alice."""
    page = await shared.connect(ADMIN, to=ALICE)
    assert page.title == SUCCESS
    assert "for all who may use it" in page.text
    return shared


async def change(server: Server, **body: object):
    answer = await server.api("PUT", "/gateways/{id}", ADMIN, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_all_whom_the_gateway_allows_use_it_and_see_whose_it_is(ready, gateway):
    assert ALICE in await ready.who(BOB)
    assert ALICE in await ready.who("carol@example.com")
    [token] = await ready.tokens()
    assert (token.app_user_email, token.connected_by) == (COMPANY, ADMIN)
    for email in (BOB, ADMIN):
        [told] = await ready.connections(email)
        assert (told["shared"], told["connected_by"], told["app_user_email"]) == (True, ADMIN, COMPANY)
        async with gateway.client(email) as client:
            pages = [await client.get(f"{BASE}{path}") for path in ("/admin/gateways", f"/admin/gateways/{ready.id}")]
            status = (await client.get(f"{BASE}/oauth/status/{ready.id}")).json()
        assert all(f"connected by {ADMIN}" in page.text for page in pages), email
        assert (status["connection"], status["connected_by"]) == ("shared", ADMIN)
        assert "/oauth/authorize/" in pages[0].text or email != ADMIN
        assert "/oauth/authorize/" not in pages[0].text or email == ADMIN
    await change(ready, allowed_users=[ALICE])
    assert "not-found" in await ready.who(BOB)
    assert await ready.connections(BOB) == []


async def test_nobody_but_an_administrator_connects_it(shared, gateway, provider):
    refused = await shared.begin(BOB)
    assert (refused.status_code, refused.json()["cause"]) == (403, CAUSE)
    async with gateway.client(BOB, Accept="text/html") as client:
        page = await client.get(f"{BASE}/oauth/authorize/{shared.id}?next=/admin/gateways")
        assert page.status_code == 403
        assert "An administrator connects this server" in page.text
        assert "Authorize again" not in page.text
    answer = await shared.who(BOB)
    assert "administrator connects" in answer
    assert "/oauth/authorize/" not in answer, "no link that fails"
    fetched = await shared.api("POST", "/oauth/fetch-tools/{id}", BOB)
    assert (fetched.status_code, fetched.json()["cause"]) == (403, CAUSE)
    assert "authorize_url" not in fetched.json()
    assert "links" not in await connect_tool(shared, BOB)
    assert provider.asked("authorize") == provider.asked("token") == []
    assert f"/oauth/authorize/{shared.id}" in await shared.who(ADMIN), "an administrator is given the link"
    # A link that was made for an administrator is of no use to others, nor is one with a label.
    link = next(word for word in (await shared.who(ADMIN)).split() if "/for/" in word).rstrip(".")
    async with gateway.client(BOB, Accept="text/html") as client:
        assert (await client.get(link)).status_code == 403
    assert (await shared.begin(BOB, "?account=work")).status_code == 400
    assert (await shared.begin(ADMIN, "?account=work")).status_code == 400
    assert "nobody has an account of their own" in await shared.who(ADMIN, "?account=work")


async def test_a_link_alone_never_connects_it(ready, gateway, provider):
    provider.forget()
    before, link = await ready.tokens(), f"{BASE}/oauth/authorize/{ready.id}"
    async with gateway.browser(ADMIN) as browser:
        page = await browser.open(f"{link}?next=/admin/my-connections")
        assert (page.status, page.title, provider.asked("authorize")) == (200, ASKED, [])
        assert f"It replaces the account that <strong>{ADMIN}</strong> connected." in page.text
        assert 'href="/admin/my-connections">Cancel</a>' in page.text
        form = page.form(button="Continue")
        refused = await browser.submit(form, csrf_token="")
        assert (refused.status, refused.title, provider.asked("authorize")) == (403, "This form is not ours", [])
        page = await browser.submit(form, follow=False)
        assert (page.status, page.title) == (200, "On to Weather")
        await browser.open(page.refresh)
        await sign_in(browser, user=BOB)
        assert browser.page.url == f"{BASE}/admin/my-connections", "where the page was to lead on to"
    [token] = await ready.tokens()
    assert token.revision > before[0].revision


async def test_a_program_says_that_it_means_it(shared, gateway, provider):
    """A cookie or a proxy's header goes along with any request; a bearer token does not."""
    refused = await shared.begin(ADMIN)
    assert (refused.status_code, refused.json()["cause"]) == (403, "shared-connection-unconfirmed")
    assert refused.json()["authorize_url"] == f"{BASE}/oauth/authorize/{shared.id}"
    for site, status in (("cross-site", 403), ("none", 403), ("same-origin", 302), (None, 302)):
        headers = {} if site is None else {"Sec-Fetch-Site": site}
        answer = await shared.api("GET", "/oauth/authorize/{id}", ADMIN, headers=headers)
        assert answer.status_code == status, site
    assert (await shared.api("POST", "/oauth/authorize/{id}", ADMIN)).status_code == 302
    assert (await shared.api("POST", "/oauth/authorize/{id}", BOB)).status_code == 403
    async with gateway.client(ADMIN, Accept="application/json") as client:
        forged = await client.post(f"{BASE}/oauth/authorize/{shared.id}")
        assert (forged.status_code, forged.json()["cause"]) == (403, "csrf-refused")
    assert provider.asked("authorize") == []


async def test_the_page_says_that_nobody_has_connected_it(shared, gateway):
    async with gateway.browser(ADMIN) as browser:
        page = await browser.open(f"{BASE}/oauth/authorize/{shared.id}")
    assert "Nobody has connected an account yet." in page.text
    assert "It replaces" not in page.text


async def test_only_an_administrator_has_more_scopes_asked_for(ready: Server, provider):
    async def wanted() -> list[str]:
        provider.heal()
        led = await ready.api("GET", "/oauth/authorize/{id}", ADMIN)
        return parse_qs(urlsplit(led.headers["location"]).query).get("scope", [""])[0].split()

    missing = faults.status(403, www_authenticate='Bearer error="insufficient_scope", scope="mcp:write"')
    provider.arm("mcp", missing)
    assert "enters the scopes on the gateway" in await ready.who(BOB)
    fetched = await ready.api("POST", "/oauth/fetch-tools/{id}", BOB)
    assert "enters the scopes on the gateway" in fetched.text
    assert "mcp:write" not in await wanted()
    provider.arm("mcp", missing)
    assert "wants more rights" in await ready.who(ADMIN)
    assert "mcp:write" in await wanted()


async def connect_tool(server: Server, email: str) -> str:
    """What ``latchpin_connect`` says at the one endpoint."""
    program = await server.program(email, path="/mcp")
    async with program.http:
        await program.tools()
        return said(await program.call("latchpin_connect"))


async def test_the_one_endpoint_says_who_has_to_connect_it(shared):
    for _ in range(2):
        text = await connect_tool(shared, BOB)
    assert "an administrator connects" in text
    assert "/oauth/authorize/" not in text
    assert "/oauth/authorize/" in await connect_tool(shared, ADMIN)


async def test_who_is_no_administrator_any_more_does_not_finish_it(shared, gateway):
    async with gateway.browser(ADMIN) as browser:
        await shared.go_there(browser)
        back = str((await sign_in(browser, user=ALICE, follow=False)).headers["location"])
        settings = gateway.application.services.settings
        object.__setattr__(settings, "admin_emails", ())
        answer = await browser.open(back)
    assert answer.title == "An administrator connects this server"
    assert await shared.tokens() == []


@pytest.mark.parametrize("before", ["own", "shared"])
async def test_an_authorization_does_not_end_in_the_other_kind_of_account(gateway, provider, before):
    after = {"own": "shared", "shared": "own"}[before]
    server = Server(gateway, provider, await gateway.add(provider.provider.mcp_url, name="Weather", connection=before))
    async with gateway.browser(ADMIN) as browser:
        await server.go_there(browser)
        back = str((await sign_in(browser, user=ALICE, follow=False)).headers["location"])
        await change(server, connection=after)
        page = await browser.open(back)
    assert page.title != SUCCESS
    assert await server.tokens() == []
    assert provider.asked("token") == [], "the code was not even sent"


async def test_a_change_drops_nobodys_token_and_gives_nobody_anothers(server):
    await server.connect(BOB, to=BOB)
    await change(server, connection="shared")
    assert "administrator connects" in await server.who(BOB), "what is a person's own does not serve as the company's"
    [rests] = [each for each in await server.connections(BOB) if not each["shared"]]
    assert rests["in_use"] is False
    await server.connect(ADMIN, to=ALICE)
    assert ALICE in await server.who(BOB)
    await change(server, connection="own")
    assert BOB in await server.who(BOB), "what rested serves again"
    assert "needs your authorization" in await server.who("carol@example.com"), "the company's serves nobody now"
    assert [each["shared"] for each in await server.connections(BOB)] == [False]
    [left] = [each for each in await server.connections(ADMIN) if each["shared"]]
    assert left["in_use"] is False
    assert (await server.api("DELETE", f"/oauth/tokens/{{id}}?user={COMPANY}", BOB)).status_code == 403
    assert (await server.api("DELETE", f"/oauth/tokens/{{id}}?user={COMPANY}", ADMIN)).status_code == 200
    assert [each.app_user_email for each in await server.tokens()] == [BOB]


async def test_the_company_keeps_what_an_administrator_who_leaves_connected(ready, provider):
    provider.forget()
    left = await ready.api("DELETE", f"/oauth/tokens?user={ADMIN}", ADMIN)
    assert left.status_code == 200
    assert [each["gateway_id"] for each in left.json()["stay"]] == [ready.id]
    assert "stays: Weather" in left.json()["message"]
    assert provider.asked("revoke") == []
    assert ALICE in await ready.who(BOB)


async def test_only_an_administrator_ends_it(ready, provider):
    provider.forget()
    for query in ("", f"?user={COMPANY}", "?account=x"):
        assert (await ready.api("DELETE", f"/oauth/tokens/{{id}}{query}", BOB)).status_code == 403
    assert (await ready.api("PUT", "/oauth/tokens/{id}/default", BOB)).status_code == 400
    ended = await ready.api("DELETE", "/oauth/tokens/{id}", ADMIN)
    assert (ended.status_code, len(provider.asked("revoke"))) == (200, 1)
    assert "administrator connects" in await ready.who(BOB)


async def test_it_is_renewed_once_for_all_and_by_anybody(ready, gateway, provider):
    provider.forget()
    gateway.clock.advance(hours=2)
    people = [BOB, ADMIN, "carol@example.com"] * 4
    answers = await asyncio.gather(*(ready.who(email) for email in people))
    assert all(ALICE in each for each in answers)
    assert len(provider.asked("token")) == 1


async def test_a_session_at_the_persons_own_account_is_not_the_companys(server, provider):
    await server.connect(BOB, to=BOB)
    from tests.providers import faults

    provider.arm("mcp", faults.status(200, "{}", content_type="application/json", mcp_session_id="s-1"))
    program = await server.program(BOB, era="sessions")
    async with program.http:
        program.session = (await program.send(*program.message("ping"))).headers["mcp-session-id"]
        assert (await program.send(*program.message("ping"))).status_code == 200
        await change(server, connection="shared")
        await server.connect(ADMIN, to=ALICE)
        answer = await program.send(*program.message("ping"))
    assert (answer.status_code, answer.json()["cause"]) == (404, "not-yours")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"auth_type": "none", "connection": "shared"}, "auth_type is none"),
        ({"connection": "shared", "oauth_config": {"grant_type": "client_credentials"}}, "nobody authorizes"),
        ({"connection": "everybody's"}, "connection holds"),
    ],
)
async def test_what_nobody_could_share_is_refused(server, body, words):
    answer = await server.api("PUT", "/gateways/{id}", ADMIN, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


async def test_what_is_given_out_to_one_person_never_serves_as_the_companys(ready, gateway):
    """A row that somebody moved in the store does not open: whose it is is part of its seal."""
    records = gateway.application.services.records.tokens
    [token] = await ready.tokens()
    await records.put(replace(token, id="0" * 32, app_user_email=BOB, connected_by=None), replacing=None)
    await change(ready, connection="own")
    assert "needs your authorization" in (await ready.who(BOB)) or "no longer takes" in (await ready.who(BOB))
