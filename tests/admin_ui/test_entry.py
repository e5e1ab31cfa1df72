"""Adding a gateway from its URL, changing, trying out and removing it, as an administrator does it in the pages."""

import re

import pytest
from latchpin.contracts import NavigationEntry

from tests.providers import sign_in
from tests.support.gateway_in_process import ADMIN, ALICE, BASE

NOWHERE = "http://127.0.0.1:9/mcp"


async def stored(gateway):
    return {each.name: each for each in await gateway.application.services.records.gateways.list()}


# -- adding -------------------------------------------------------------------------------------------


async def test_from_a_url_to_a_gateway(admin, gateway, provider):
    url = provider.provider.mcp_url
    await admin.open("/admin/gateways/new")
    answer = await admin.send("/admin/gateways/new", url=url)
    assert answer.status_code == 200
    assert f"POST {url} (server/discover) HTTP 401 with a challenge" in admin.text
    assert "The authorization server was found" in admin.text
    assert f"Tokens from {provider.provider.issuer} will be sent to {url}" in admin.text
    assert "Dynamic Client Registration" in admin.text
    assert await stored(gateway) == {}  # looking adds nothing

    answer = await admin.send("/admin/gateways", url=url, name="Tools", auth_type="oauth", allowed_users=ALICE)
    [made] = (await stored(gateway)).values()
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/admin/gateways/{made.id}")
    assert (made.name, made.url, made.auth_type, made.allowed_users) == ("Tools", url, "oauth", (ALICE,))


async def test_a_server_that_cannot_be_found_is_told_and_can_be_added_all_the_same(admin, gateway):
    await admin.open("/admin/gateways/new")
    await admin.send("/admin/gateways/new", url=NOWHERE)
    assert "What to do:" in admin.text
    assert "add it as it is" in admin.text
    assert (await admin.send("/admin/gateways", url=NOWHERE, auth_type="oauth")).status_code == 303
    assert len(await stored(gateway)) == 1


@pytest.mark.parametrize("path", ["/admin/gateways/new", "/admin/gateways"])
async def test_what_is_no_url_comes_back_with_the_reason(admin, gateway, path):
    await admin.open("/admin/gateways/new")
    answer = await admin.send(path, url="mcp.example.com<script>")
    assert answer.status_code == 400
    assert "url holds" in admin.text
    assert 'value="mcp.example.com&lt;script&gt;"' in admin.page
    assert await stored(gateway) == {}


# -- changing -----------------------------------------------------------------------------------------


def fields_of(page):
    """The form as a browser would send it."""
    fields = dict(re.findall(r'<input type="(?:text|url|hidden)"[^>]* name="([^"]+)"[^>]* value="([^"]*)"', page))
    for name, options in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    fields |= dict(re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', page))
    checked = re.findall(r'<input type="checkbox"[^>]* name="([^"]+)"[^>]* checked>', page)
    return fields | dict.fromkeys(checked, "on")


async def test_saving_without_a_change_changes_nothing(admin, connected, gateway):
    before = await gateway.application.services.records.gateways.get(connected.id)
    path = f"/admin/gateways/{connected.id}/edit"
    await admin.open(path)
    assert (await admin.send(path, **fields_of(admin.page))).status_code == 303
    after = await gateway.application.services.records.gateways.get(connected.id)
    assert (after.name, after.url, after.oauth, after.pinned_issuer) == (
        before.name,
        before.url,
        before.oauth,
        before.pinned_issuer,
    )
    assert (await connected.status())["status"] == "valid"  # and nobody lost a token


async def test_a_secret_is_kept_changed_and_cleared(admin, gateway):
    config = {"client_id": "one", "client_secret": "the first secret"}
    gateway_id = await gateway.add("https://mcp.example.com/mcp", oauth_config=config)
    path, records = f"/admin/gateways/{gateway_id}/edit", gateway.application.services.records.gateways
    first = (await records.get(gateway_id)).oauth.client_secret
    for change, is_kept, is_cleared in (
        ({}, True, False),
        ({"client_secret": "the second secret"}, False, False),
        ({"clear_client_secret": "on"}, False, True),
    ):
        await admin.open(path)
        assert "Client secret" in admin.text
        assert not [secret for secret in ("the first secret", "the second secret") if secret in admin.page]
        assert (await admin.send(path, **{**fields_of(admin.page), **change})).status_code == 303
        now = (await records.get(gateway_id)).oauth.client_secret
        assert (now == first, now is None) == (is_kept, is_cleared)


async def test_what_does_not_hold_comes_back_as_it_was_entered(admin, gateway):
    gateway_id = await gateway.add("https://mcp.example.com/mcp", name="Before")
    path = f"/admin/gateways/{gateway_id}/edit"
    await admin.open(path)
    wrong = {"name": "After", "issuer": "not a url", "client_secret": "entered", "client_id": "x"}
    answer = await admin.send(path, **{**fields_of(admin.page), **wrong})
    assert answer.status_code == 400
    assert "issuer holds" in admin.text
    assert 'value="After"' in admin.page
    assert 'value="not a url"' in admin.page
    assert "entered" not in re.sub(r"entered (here|about)", "", admin.page)
    assert "Before" in await stored(gateway)


async def test_two_who_change_at_once(admin, gateway):
    gateway_id = await gateway.add("https://mcp.example.com/mcp", name="Before")
    path = f"/admin/gateways/{gateway_id}/edit"
    await admin.open(path)
    stale = fields_of(admin.page)
    assert (await admin.send(path, **{**stale, "name": "First"})).status_code == 303
    await admin.open(path)
    answer = await admin.send(path, **{**stale, "name": "Second"})
    assert answer.status_code == 409
    assert "revision" in admin.text
    assert 'value="Second"' in admin.page
    assert "First" in await stored(gateway)
    assert (await admin.send(path, **fields_of(admin.page))).status_code == 303  # once it was seen, it may be saved
    assert "Second" in await stored(gateway)


# -- trying out ---------------------------------------------------------------------------------------


async def test_the_test_finds_server_client_and_token(admin, connected, gateway, provider):
    path = f"/admin/gateways/{connected.id}/test"
    await admin.open(f"/admin/gateways/{connected.id}")
    await admin.send(path)
    assert f"Its authorization server is {provider.provider.issuer}" in admin.text
    assert "Its server knows the client" in admin.text
    assert "Your token is not there You have not authorized this gateway yet. Authorize." in admin.text
    assert "Nothing is wrong." in admin.text
    async with gateway.browser(ADMIN) as browser:
        await browser.open(f"{BASE}/oauth/authorize/{connected.id}")
        await sign_in(browser, user=ALICE)
    await admin.open(f"/admin/gateways/{connected.id}")
    await admin.send(path)
    assert "Your token works" in admin.text


async def test_the_test_says_what_has_to_be_mended(admin, gateway):
    gateway_id = await gateway.add(NOWHERE)
    await admin.open(f"/admin/gateways/{gateway_id}")
    await admin.send(f"/admin/gateways/{gateway_id}/test")
    assert "Metadata discovery failed" in admin.text
    assert "Something has to be mended." in admin.text


async def test_the_test_registers_nothing(admin, gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    await admin.open(f"/admin/gateways/{gateway_id}")
    await admin.send(f"/admin/gateways/{gateway_id}/test")
    assert "The first authorization gets a client by Dynamic Client Registration" in admin.text
    assert provider.asked("register") == []


async def test_fetching_tools_shows_them(alice, connected):
    await alice.open("/admin/my-connections")
    await alice.send(f"/oauth/fetch-tools/{connected.id}")
    assert "Successfully fetched and created 3 tools" in alice.text
    assert f'href="/admin/gateways/{connected.id}#tools"' in alice.page
    await alice.open(f"/admin/gateways/{connected.id}")
    for name in ("add", "search", "who_am_i"):
        assert f"<summary><code>{name}</code>" in alice.page
    assert "Argument Type Needed Description" in alice.text


async def test_fetching_without_a_token_offers_to_authorize(admin, connected):
    await admin.open("/admin/my-connections")
    answer = await admin.send(f"/oauth/fetch-tools/{connected.id}")
    assert answer.status_code == 401
    assert f'href="{BASE}/oauth/authorize/{connected.id}"' in admin.page


# -- removing -----------------------------------------------------------------------------------------


async def test_removing_asks_first_and_says_what_the_server_answered(admin, connected, gateway, provider):
    path = f"/admin/gateways/{connected.id}/remove"
    await admin.open(path)
    assert "1 connection" in admin.text
    assert "1 registered client" in admin.text
    assert len(await stored(gateway)) == 1
    await admin.send(path)
    assert "Gateway removed" in admin.text
    assert "1 token was revoked at the authorization server." in admin.text
    assert "forg" in admin.text
    assert await stored(gateway) == {}
    assert (await admin.open(path)).status_code == 404


async def test_the_gateways_page_has_the_url_for_mcp_clients_to_copy(gateway, admin, connected):
    path = f"/admin/gateways/{connected.id}"
    without = [entry for entry in gateway.app.state.navigation if entry.place != "endpoint"]
    gateway.app.state.navigation = without
    await admin.open(path)
    assert "For MCP clients" not in admin.page
    gateway.app.state.navigation = [*without, NavigationEntry("E", "/gateways/{gateway_id}/mcp", place="endpoint")]
    await admin.open(path)
    assert f'data-copy="{BASE}/gateways/{connected.id}/mcp"' in admin.page
