"""The Admin Panel in numbers: one's own for everybody, everybody's for administrators."""

import re

import pytest
from latchpin.contracts import NavigationEntry
from latchpin.model import OAuthConfig

from tests.web.conftest import HTML
from tests.web.test_login import sign_in
from tests.web.test_pages import EMAIL, add_gateway

TAG = re.compile("<[^>]+>")
NO_AUTHORIZATION = [{"auth_type": "none", "oauth": None}, {"oauth": OAuthConfig(grant_type="client_credentials")}]
WHOSE = [(EMAIL, False, "1"), ("bob@example.com", False, "0"), ("root@example.com", True, "1")]


def numbers_of(page):
    cards = re.findall(
        r'<li class="card">\s*<h2>(.*?)</h2>\s*<p class="number">(.*?)</p>\s*<p>(.*?)</p>', page, re.DOTALL
    )
    return {re.sub("<[^>]+>", "", name): (re.sub("<[^>]+>", "", number), said) for name, number, said in cards}


async def overview(gateway, client, email=EMAIL, *, admin=False):
    await sign_in(client, gateway, email, admin=admin)
    return (await client.get("/", headers=HTML)).text


@pytest.mark.parametrize(
    ("statuses", "mine", "to_authorize"),
    [
        ((), ("0", "Nothing is left to authorize."), 0),
        (("missing",), ("0", "1 more can be authorized."), 1),
        (("valid", "missing"), ("1", "1 more can be authorized."), 1),
        (("valid", "renewable"), ("2", "Nothing is left to authorize."), 0),
        (("valid", "expired", "needs_reauth", "missing"), ("1", "2 more have ended."), 3),
    ],
)
async def test_my_connections_are_counted_by_what_works(gateway, client, statuses, mine, to_authorize):
    for number, status in enumerate(statuses):
        await add_gateway(gateway, name=f"Server {number}", status=status)
    page = await overview(gateway, client)
    numbers = numbers_of(page)
    assert numbers["Gateways"][0] == str(len(statuses))
    assert numbers["My connections"] == mine
    assert page.count('href="/oauth/authorize/') == to_authorize
    assert "People connected" not in numbers


@pytest.mark.parametrize(
    "changes", [{"auth_type": "none", "oauth": None}, {"oauth": OAuthConfig("client_credentials")}]
)
async def test_where_nobody_authorizes_there_is_nothing_to_do(gateway, client, changes):
    await add_gateway(gateway, **changes)
    assert numbers_of(await overview(gateway, client))["My connections"][1] == "Nothing is left to authorize."


async def test_administrators_see_everybodys(gateway, client):
    await add_gateway(gateway, status="valid")
    await add_gateway(gateway, status="expired")
    numbers = numbers_of(await overview(gateway, client, "root@example.com", admin=True))
    assert numbers["People connected"] == ("1", "1 connection has ended.")
    assert numbers["My connections"][0] == "0"


async def test_a_plugin_says_its_number_to_who_looks(gateway, client):
    async def count(application, caller):
        return f"{caller.email} of {len(await application.gateways.list(caller))}"

    entry = NavigationEntry("Notes", "/acme/notes?new", "Not yet read.", place="overview", number=count)
    gateway.app.state.navigation = [entry]
    page = await overview(gateway, client)
    assert numbers_of(page)["Notes"] == (f"{EMAIL} of 0", "Not yet read.")
    assert '<a href="/acme/notes?new">Notes</a>' in page


@pytest.mark.parametrize("admin", [False, True])
async def test_why_it_is_not_ready_is_for_administrators(gateway, client, admin):
    page = await overview(gateway, client, admin=admin)
    assert numbers_of(page)["Health"][0] == "Not ready"
    assert ("CACHE_TYPE=none" in page) is admin
