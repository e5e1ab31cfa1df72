"""Plugins' pages in the menu, on the Admin Panel and in the list of gateways: for those who may open them."""

import re

import pytest
from latchpin.contracts import NavigationEntry

from tests.web.small_gateway import HTML
from tests.web.test_login import sign_in
from tests.web.test_pages import add_gateway

ENTRIES = [
    NavigationEntry("Later", "/later", "Comes last.", rank=200),
    NavigationEntry("Mine", "/mine", "What is <mine>."),
    NavigationEntry("All of it", "/all", "Everybody's.", admin_only=True),
    NavigationEntry("Add", "/add", place="gateways", admin_only=True),
    NavigationEntry("One", "/one/{gateway_id}", place="gateway"),
]


@pytest.fixture
def entries(gateway):
    gateway.app.state.navigation = ENTRIES


async def read(client, gateway, path, *, admin):
    await sign_in(client, gateway, "ada@example.com", admin=admin)
    return (await client.get(path, headers=HTML)).text


def menu_of(page):
    return re.findall(r">([^<]+)</a>", page.partition("<nav")[2].partition("</nav>")[0])


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(("admin", "more"), [(False, []), (True, ["All of it"])])
async def test_the_menu_has_what_the_user_may_open(gateway, client, admin, more):
    page = await read(client, gateway, "/", admin=admin)
    assert menu_of(page) == ["Admin Panel", "Gateways", "Flows", *more, "Mine", "Later", "API"]
    assert "What is &lt;mine&gt;." in page
    assert menu_of((await client.get("/logout", headers=HTML)).text) == menu_of(page)
    assert ("Everybody&#39;s." in page) == admin


@pytest.mark.usefixtures("entries")
async def test_the_page_one_is_on_is_marked(gateway, client):
    page = await read(client, gateway, "/admin/gateways", admin=False)
    assert re.findall(r'href="([^"]*)" aria-current="page"', page) == ["/admin/gateways"]


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("admin", [False, True])
async def test_the_list_links_to_each_gateways_own_page(gateway, client, admin):
    empty = await read(client, gateway, "/admin/gateways", admin=admin)
    assert ('<a class="button" href="/add">Add</a>' in empty) == admin
    row = await add_gateway(gateway)
    page = (await client.get("/admin/gateways", headers=HTML)).text
    assert f'<h2><a href="/one/{row.id}">{row.name}</a></h2>' in page
    assert ('<a class="button" href="/add">Add</a>' in page) == admin


async def test_without_plugins_there_are_no_such_links(gateway, client):
    await add_gateway(gateway)
    page = await read(client, gateway, "/admin/gateways", admin=True)
    assert menu_of(page) == ["Admin Panel", "Gateways", "Flows", "API"]
    assert "/one/" not in page
