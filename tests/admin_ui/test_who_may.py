"""Who may open what, who may change what, and what pages never hold: secrets, and other people's things."""

import re

import httpx
import pytest
from latchpin.clients.secrets import open_registered_secret
from latchpin.tokens.sealing import open_token

from tests.admin_ui.conftest import HTML
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, SECRET

FOR_ADMINS = [
    "/admin/connections",
    "/admin/connections/end?user=alice@example.com",
    "/admin/clients",
    "/admin/settings",
    "/admin/plugins",
    "/admin/doctor",
    "/admin/gateways/new",
    "/admin/gateways/{id}/edit",
    "/admin/gateways/{id}/remove",
]
FOR_ALL = ["/admin/my-connections"]
POSTS = [
    "/admin/my-connections/{id}/disconnect",
    "/admin/connections/disconnect",
    "/admin/connections/end",
    "/admin/clients/{id}/delete",
    "/admin/doctor",
    "/admin/gateways/new",
    "/admin/gateways",
    "/admin/gateways/{id}/edit",
    "/admin/gateways/{id}/remove",
    "/admin/gateways/{id}/test",
]
FOR_ADMINS_TO_SEND = [path for path in POSTS if "my-" not in path]
HOSTILE = "<script>alert(1)</script><img src=//evil.example onerror=x>\"'{{7*7}}"


@pytest.mark.parametrize("path", FOR_ADMINS)
async def test_pages_for_administrators(admin, alice, gateway, path):
    path = path.format(id=await gateway.add("https://mcp.example.com/mcp"))
    assert (await admin.open(path)).status_code == 200
    assert (await alice.open(path)).status_code == 403
    async with gateway.client(None, Accept=HTML) as nobody:
        answer = await nobody.get(BASE + path)
    assert (answer.status_code, answer.headers["location"][: len(BASE) + 12]) == (303, f"{BASE}/login?next=")


@pytest.mark.parametrize("path", FOR_ALL)
async def test_pages_for_everybody(alice, gateway, path):
    assert (await alice.open(path)).status_code == 200
    assert not [
        link for link in ("All connections<", "Own OAuth clients<", "Settings<", "Plugins<") if f">{link}" in alice.page
    ]
    async with gateway.client(None, Accept=HTML) as nobody:
        assert (await nobody.get(BASE + path)).status_code == 303


async def test_a_gateway_that_is_not_for_alice_reads_as_one_that_is_not_there(admin, alice, gateway):
    hidden = await gateway.add("https://mcp.example.com/mcp", name="Hidden", allowed_users=["bob@example.com"])
    for path in (f"/admin/gateways/{hidden}", f"/admin/my-connections/{hidden}"):
        refused = await alice.open(path)
        assert refused.status_code == 404
        assert "Hidden" not in alice.page
        unknown = await alice.open(path.replace(hidden, "0" * 32))
        own = re.compile(r'[0-9a-f]{32}|(?<=name="csrf_token" value=")[^"]+')
        assert own.sub("", refused.text) == own.sub("", unknown.text)
    await alice.open("/admin/my-connections")
    assert "Hidden" not in alice.page
    assert (await admin.open(f"/admin/gateways/{hidden}")).status_code == 200
    assert "bob@example.com" in admin.page


@pytest.mark.parametrize("path", ["/admin/my-connections", "/admin/gateways/{id}", "/admin/my-connections/{id}"])
async def test_what_is_mine_is_never_somebody_elses(admin, connected, path):
    """Not even an administrator's page takes Alice's connection for its own user's."""
    live = {"hx-request": "true"} if path.startswith("/admin/my-connections/") else {}
    assert (await admin.open(path.format(id=connected.id), **live)).status_code == 200
    assert "Not connected" in admin.text
    assert "Disconnect" not in admin.text


async def test_who_else_may_use_a_gateway_is_for_administrators(alice, gateway):
    shared = await gateway.add("https://mcp.example.com/mcp", allowed_users=[ALICE, "bob@example.com"])
    assert (await alice.open(f"/admin/gateways/{shared}")).status_code == 200
    assert "bob@example.com" not in alice.page


async def test_what_is_left_at_a_gateway_that_is_no_longer_for_alice_can_be_ended(alice, connected, gateway):
    async with gateway.client(None, **await connected.bearer(ADMIN)) as api:
        changed = await api.put(f"{BASE}/gateways/{connected.id}", json={"allowed_users": ["bob@example.com"]})
        assert changed.status_code == 200
    await alice.open("/admin/my-connections")
    assert "You may not use this gateway any more." in alice.page
    unusable = (f"/oauth/authorize/{connected.id}", f"/admin/gateways/{connected.id}", "Fetch Tools of")
    assert not [link for link in unusable if link in alice.page]
    await alice.send(f"/admin/my-connections/{connected.id}/disconnect")
    assert "Disconnected" in alice.page
    await alice.open("/admin/my-connections")
    assert connected.id not in alice.page


@pytest.mark.parametrize("path", POSTS)
async def test_every_form_needs_its_proof(admin, gateway, path):
    gateway_id = await gateway.add("https://mcp.example.com/mcp")
    path = path.format(id=gateway_id)
    await admin.open("/admin/my-connections")
    token = admin.token
    fields = {"gateway": gateway_id, "owner": ALICE, "user": ALICE}
    for headers, given in (
        ({}, None),
        ({}, "made-up"),
        ({"sec-fetch-site": "cross-site"}, token),
        ({"origin": "https://evil.example"}, token),
    ):
        proof = {} if given is None else {"csrf_token": given}
        answer = await admin.send(path, proof=False, headers=headers, **fields, **proof)
        assert answer.status_code == 403, (headers, given)
        assert "This form is not ours" in answer.text


@pytest.mark.parametrize("path", FOR_ADMINS_TO_SEND)
async def test_forms_for_administrators(alice, gateway, path):
    gateway_id = await gateway.add("https://mcp.example.com/mcp")
    await alice.open("/admin/my-connections")
    answer = await alice.send(path.format(id=gateway_id), gateway="0" * 32, owner=ADMIN, user=ADMIN)
    assert answer.status_code == 403
    assert "Not allowed" in answer.text


async def test_what_others_wrote_stays_text(admin, connected, gateway):
    services = gateway.application.services
    hostile = await gateway.add("https://mcp.example.com/mcp", name=HOSTILE)
    schema = {"type": "object", "properties": {HOSTILE: {"type": HOSTILE, "description": HOSTILE, "enum": [HOSTILE]}}}
    definition = {"name": HOSTILE, "title": HOSTILE, "description": HOSTILE, "inputSchema": schema}
    await services.tools.replace(hostile, ADMIN, {HOSTILE: definition})
    for path in (
        f"/admin/gateways/{hostile}",
        "/admin/my-connections",
        "/admin/connections",
        f"/admin/connections?user={HOSTILE}",
    ):
        assert (await admin.open(path)).status_code == 200
        assert not re.search(r"<script>|<img src=//|&#39;49", admin.page), path
        assert path == "/admin/connections" or "&lt;script&gt;alert(1)" in admin.page


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "x",
        {"properties": []},
        {"properties": {"a": 7}, "required": "a"},
        {"properties": {"a": {"type": ["x", 1]}}},
    ],
)
async def test_whatever_a_schema_holds_the_page_is_there(admin, gateway, schema):
    gateway_id = await gateway.add("https://mcp.example.com/mcp")
    tools = gateway.application.services.tools
    await tools.replace(gateway_id, ADMIN, {"odd": {"name": "odd", "title": 7, "inputSchema": schema}})
    assert (await admin.open(f"/admin/gateways/{gateway_id}")).status_code == 200
    assert "odd" in admin.text


async def test_no_page_holds_a_secret(admin, connected, environment):
    assert (await connected.fetch()).status_code == 200
    services = connected.gateway.application.services
    [client], [token] = await services.records.clients.list(), await services.records.tokens.list()
    opened = open_token(services.cipher, token)
    secrets = [SECRET, opened.access_token, opened.refresh_token, open_registered_secret(client, services.cipher)]
    assert all(secrets)
    for path in (*FOR_ADMINS, *FOR_ALL, f"/admin/gateways/{connected.id}"):
        await admin.open(path.format(id=connected.id))
        assert not [secret for secret in secrets if secret in admin.page], path


async def test_every_page_has_its_policy_and_no_inline_script_or_style(admin, connected):
    await connected.fetch()
    for path in (*FOR_ADMINS, *FOR_ALL, f"/admin/gateways/{connected.id}"):
        answer: httpx.Response = await admin.open(path.format(id=connected.id))
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|<[^<>]*\s(?:on\w+|style)\s*=", admin.page), path


async def test_only_the_files_are_served(admin):
    for name in ("admin.css", "admin.js", "htmx.min.js"):
        answer = await admin.open(f"/admin/static/{name}")
        assert answer.status_code == 200
        assert "max-age" in answer.headers["cache-control"]
    for name in ("licenses", "..%2Fplugin.py", "page.html"):
        assert (await admin.open(f"/admin/static/{name}")).status_code == 404
