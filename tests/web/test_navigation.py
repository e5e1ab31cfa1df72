"""Plugins' pages in the menu, on the Admin Panel and in the list of gateways: for those who may open them."""

import re

import pytest
from latchpin.contracts import NavigationEntry
from latchpin.web.menu import build_menu

from tests.web.conftest import HTML
from tests.web.test_login import sign_in
from tests.web.test_pages import add_gateway

ENTRIES = [
    NavigationEntry("Later", "/later", "Comes last.", rank=200),
    NavigationEntry("Mine", "/mine", "What is <mine>.", group="connections"),
    NavigationEntry("All of it", "/all", "Everybody's.", group="connections", admin_only=True, rank=10),
    NavigationEntry("Flows", "/flows", group="activity"),
    NavigationEntry("Wrong", "/wrong", "What is <wrong>."),
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
    return re.findall(r">([^<]+)</a>", page.partition('<nav aria-label="Main"')[2].partition("</nav>")[0])


def tabs_of(page):
    return re.findall(r'href="([^"]+)"', page.partition('<nav class="tabs"')[2].partition("</nav>")[0])


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(("admin", "first"), [(False, "/mine"), (True, "/all")])
async def test_the_menu_has_what_the_user_may_open(gateway, client, admin, first):
    page = await read(client, gateway, "/", admin=admin)
    assert menu_of(page) == ["Overview", "Gateways", "Connections", "Activity", "System"]
    assert f'<a href="{first}">Connections</a>' in page
    assert menu_of((await client.get("/logout", headers=HTML)).text) == menu_of(page)
    system = (await client.get("/problems", headers=HTML)).text
    assert tabs_of(system) == ["/wrong", "/later", "/problems"]


@pytest.mark.parametrize(
    ("here", "group", "page"),
    [
        ("/", "Overview", "/"),
        ("/mine", "Connections", "/mine"),
        ("/all/of/them", "Connections", None),
        ("/wrong", "System", "/wrong"),
        ("/admin/gateways", "Gateways", "/admin/gateways"),
        ("/admin/gateways/new", "Gateways", None),
        ("/flows", "Activity", "/flows"),
        ("/flows/0123", "Activity", None),
        ("/oauth/success", None, None),
        ("/flowsheet", None, None),
    ],
)
def test_the_page_one_is_on_is_marked(here, group, page):
    menu = build_menu(ENTRIES, here)
    assert [each.label for each in menu if each.current] == ([group] if group else [])
    assert [each.path for part in menu for each in part.pages if each.current] == ([page] if page else [])


@pytest.mark.parametrize(
    "path", ["/problems", "/problems/state-signature", "/no/such/page", "/problems/none", "/login"]
)
async def test_whoever_is_signed_in_has_the_menu_on_every_page(gateway, client, path):
    bare = await client.get(path, headers=HTML)
    assert menu_of(bare.text) == ["Causes"]
    await sign_in(client, gateway, "ada@example.com", admin=False)
    page = await client.get(path, headers=HTML)
    assert page.status_code == bare.status_code
    assert menu_of(page.text)[:2] == ["Overview", "Gateways"]
    assert "ada@example.com" in page.text


async def test_a_refusal_has_the_menu_too(gateway, client):
    await sign_in(client, gateway, "ada@example.com", admin=False)
    page = await client.get("/oauth/registered-clients", headers=HTML)
    assert page.status_code == 403
    assert menu_of(page.text)[0] == "Overview"


async def test_a_failure_page_waits_for_no_store_again(gateway, client):
    """Where a store is away, the page about that does not ask it who is looking."""
    await sign_in(client, gateway, "ada@example.com", admin=False)
    page = await client.get("/fails/store", headers=HTML)
    assert page.status_code == 503
    assert menu_of(page.text) == ["Causes"]


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
    assert menu_of(page) == ["Overview", "Gateways", "System"]
    assert "/one/" not in page
