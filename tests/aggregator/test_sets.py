"""Sets of gateways: who makes them, who sees which, and what their URLs serve."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.errors import Forbidden
from latchpin.model import Caller
from latchpin_aggregator.sets.directory import open_sets
from latchpin_aggregator.sets.entry import parse_set_body

from tests.aggregator.conftest import ERAS, Era, Program, Server, text_in
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway
from tests.support.gateway_process import settings_of

BOB = "bob@example.com"
MCP = "http://127.0.0.1:1/mcp"
SETS = f"{BASE}/sets"
JSON = {"accept": "application/json", "sec-fetch-site": "same-origin"}


@pytest.fixture
async def admin(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    token = await bearer(gateway, ADMIN, admin=True)
    async with gateway.client(None, **token, **JSON) as client:
        yield client


@pytest.fixture
async def alice(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.client(ALICE, accept="application/json") as client:
        yield client


async def bearer(gateway: InnerGateway, email: str, *, admin: bool = False) -> dict[str, str]:
    token = await gateway.application.signed_tokens.create_bearer(email, admin, timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


async def make(admin: httpx.AsyncClient, slug: str, **body: Any) -> dict[str, Any]:
    answer = await admin.post(SETS, json={"slug": slug, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def at(http: httpx.AsyncClient, slug: str, era: Era = "modern") -> Program:
    return Program(http, f"{BASE}/mcp/{slug}", era)


# -- the API ------------------------------------------------------------------------------------------------------


async def test_an_administrator_makes_changes_and_removes_one(gateway: InnerGateway, admin: httpx.AsyncClient):
    one, two = [await gateway.add(MCP, name=name) for name in ("One", "Two")]
    made = await make(admin, "dev", name="Development", description="For us", gateways=[two, one, two])
    assert made | {"revision": 0, "created_at": "", "updated_at": ""} == {
        "slug": "dev",
        "name": "Development",
        "description": "For us",
        "url": f"{BASE}/mcp/dev",
        "gateways": [two, one],
        "allowed_users": [],
        "revision": 0,
        "created_at": "",
        "updated_at": "",
    }
    assert (await admin.get(f"{SETS}/dev")).json() == made
    again = await admin.put(f"{SETS}/dev", json=made | {"gateways": [one], "allowed_users": "Ann@example.com,*@b.org"})
    assert again.status_code == 200, again.text
    changed = again.json()
    assert (changed["gateways"], changed["allowed_users"]) == ([one], ["ann@example.com", "*@b.org"])
    assert (await admin.put(f"{SETS}/dev", json=made)).status_code == 409, "somebody changed it since"
    kept = (await admin.put(f"{SETS}/dev", json={"name": None})).json()
    assert (kept["name"], kept["description"], kept["gateways"]) == ("dev", "For us", [one])
    assert (await admin.get(SETS)).json() == {"sets": [kept], "total": 1}
    assert (await admin.delete(f"{SETS}/dev")).json()["success"]
    assert (await admin.get(f"{SETS}/dev")).status_code == 404
    assert (await admin.delete(f"{SETS}/dev")).status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "slug is missing"),
        ([], "must be a JSON object"),
        ({"slug": "Dev"}, "slug: must have lower-case letters"),
        ({"slug": "a--b"}, "slug: must have lower-case letters"),
        ({"slug": "a/b"}, "slug: must have lower-case letters"),
        ({"slug": "a" * 41}, "at most 40"),
        ({"slug": "dev", "name": "a\u202eb"}, "name: must have no control characters"),
        ({"slug": "dev", "gateways": ["x"]}, "gateways.0: must be a gateway's id"),
        ({"slug": "dev", "gateways": ["0" * 32]}, f"there is no gateway {'0' * 32}"),
        ({"slug": "dev", "allowed_users": ["ann"]}, "allowed_users.0: must be an address"),
        ({"slug": "dev", "gateway": []}, "gateway: "),
    ],
)
async def test_what_does_not_hold_is_refused_with_the_reason(admin: httpx.AsyncClient, body: Any, words: str):
    answer = await admin.post(SETS, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert (await admin.get(SETS)).json()["total"] == 0


async def test_a_slug_is_one_sets_and_stays(admin: httpx.AsyncClient):
    await make(admin, "dev")
    assert (await admin.post(SETS, json={"slug": "dev"})).status_code == 409
    assert (await admin.put(f"{SETS}/dev", json={"slug": "other"})).status_code == 400


async def test_others_read_what_they_may_use_and_write_nothing(
    gateway: InnerGateway, admin: httpx.AsyncClient, alice: httpx.AsyncClient
):
    mine = await gateway.add(MCP, name="Mine")
    bobs = await gateway.add(MCP, name="Bob's", allowed_users=[BOB])
    await make(admin, "both", gateways=[bobs, mine])
    await make(admin, "bobs", gateways=[mine], allowed_users=[BOB])
    listed = (await alice.get(SETS)).json()["sets"]
    assert [(each["slug"], each["gateways"]) for each in listed] == [("both", [mine])]
    assert "allowed_users" not in listed[0]
    unknown, hidden = [await alice.get(f"{SETS}/{slug}") for slug in ("nothing", "bobs")]
    assert (unknown.status_code, hidden.status_code) == (404, 404)
    assert unknown.json()["detail"] == hidden.json()["detail"]
    async with gateway.client(None, **await bearer(gateway, ALICE), **JSON) as program:
        for method, path in (("POST", SETS), ("PUT", f"{SETS}/both"), ("DELETE", f"{SETS}/both")):
            assert (await program.request(method, path, json={"slug": "x"})).status_code == 403
    assert (await admin.get(SETS)).json()["total"] == 2
    sets, caller, body = await open_sets(gateway.application), Caller(ALICE, via="test"), parse_set_body({"slug": "x"})
    for attempt in (sets.create(body, caller), sets.change("both", body, caller), sets.remove("both", caller)):
        with pytest.raises(Forbidden):
            await attempt


# -- the endpoint -------------------------------------------------------------------------------------------------


@pytest.fixture
async def three(gateway: InnerGateway, modern: Server, sessions: Server) -> tuple[str, str, str]:
    """Two servers for everybody, and one for Bob."""
    ids = [
        await gateway.add(each.url, name=name, auth_type="none") for each, name in ((modern, "New"), (sessions, "Old"))
    ]
    return ids[0], ids[1], await gateway.add(modern.url, name="Bobs", auth_type="none", allowed_users=[BOB])


@pytest.mark.parametrize("era", ERAS)
async def test_it_shows_what_is_in_it_that_the_caller_may_use(
    gateway: InnerGateway, admin: httpx.AsyncClient, alice: httpx.AsyncClient, three: tuple[str, str, str], era: Era
):
    new, old, bobs = three
    await make(admin, "old", gateways=[old, bobs])
    await make(admin, "turned", gateways=[old, new])
    program = at(alice, "old", era)
    assert {name.partition("__")[0] for name in await program.tools()} == {"old"}
    assert text_in(await program.call("old__shout", text="hi")) == "HI!"
    assert (await program.ask("resources/read", uri="old+note://one"))["result"]["contents"][0]["text"]
    for elsewhere in ("new__shout", "bobs__shout"):
        assert (await program.call(elsewhere, text="hi"))["error"]["code"] == -32602
    assert "error" in await program.ask("resources/read", uri="new+note://one")
    assert "error" in await program.ask("prompts/get", name="new__greet", arguments={"name": "x"})
    turned = [name.partition("__")[0] for name in await at(alice, "turned", era).tools()]
    assert turned == sorted(turned, reverse=True), "in the set's order"
    async with gateway.client(BOB) as http:
        assert {name.partition("__")[0] for name in await at(http, "old", era).tools()} == {"old", "bobs"}


async def test_what_somebody_may_not_use_is_as_unknown_as_what_is_not_there(
    gateway: InnerGateway, admin: httpx.AsyncClient, alice: httpx.AsyncClient, three: tuple[str, str, str]
):
    await make(admin, "bobs", gateways=[three[0]], allowed_users=[BOB])
    answers = []
    for path in ("/mcp/bobs", "/mcp/nothing", "/mcp/No-Slug", "/mcp/bobs/more"):
        program = Program(alice, BASE + path)
        message, headers = program.message("tools/list")
        answer = await program.send(message, headers)
        answers.append((answer.status_code, answer.json() | {"request_id": ""}))
        assert not answer.headers.get("www-authenticate")
    assert answers == [answers[0]] * 4
    assert answers[0][0] == 404
    async with gateway.client(None, accept="application/json") as nobody:
        for slug in ("bobs", "nothing"):
            answer = await nobody.post(f"{BASE}/mcp/{slug}", json={})
            where = f"{BASE}/.well-known/oauth-protected-resource/mcp/{slug}"
            assert (answer.status_code, answer.headers["www-authenticate"]) == (
                401,
                f'Bearer resource_metadata="{where}"',
            )
            assert (await nobody.get(where)).json()["resource"] == f"{BASE}/mcp/{slug}"
        for path in ("/mcp/No-Slug", "/mcp/bobs/more"):
            assert (await nobody.get(f"{BASE}/.well-known/oauth-protected-resource{path}")).status_code == 404
    async with gateway.client(BOB) as http:
        assert "new__shout" in await at(http, "bobs").tools()


async def test_a_session_of_one_set_is_none_elsewhere(
    admin: httpx.AsyncClient, alice: httpx.AsyncClient, three: tuple[str, str, str]
):
    for slug in ("one", "two"):
        await make(admin, slug, gateways=[three[0]])
    program = at(alice, "one", "sessions")
    await program.begin()
    assert "result" in await program.ask("tools/list")
    for elsewhere in ("/mcp/two", "/mcp"):
        program.url = BASE + elsewhere
        await program.ask("tools/list")
        assert program.last is not None
        assert program.last.status_code == 404


async def test_what_is_removed_is_gone_from_it(
    gateway: InnerGateway, admin: httpx.AsyncClient, alice: httpx.AsyncClient, three: tuple[str, str, str]
):
    new, old, _ = three
    await make(admin, "both", gateways=[old, new])
    program = at(alice, "both")
    assert "old__shout" in await program.tools()
    assert (await admin.delete(f"{BASE}/gateways/{old}")).status_code == 200
    assert {name.partition("__")[0] for name in await program.tools()} == {"new"}
    assert (await admin.get(f"{SETS}/both")).json()["gateways"] == [new]
    changed = await admin.put(f"{SETS}/both", json={"name": "Both", "gateways": [old, new]})
    assert (changed.status_code, changed.json()["gateways"]) == (200, [new]), "who read it before may write it"
    kept = await (await open_sets(gateway.application)).get("both", Caller(ADMIN, is_admin=True, via="test"))
    assert kept.gateways == (new,)
    assert (await admin.delete(f"{SETS}/both")).status_code == 200
    message, headers = program.message("tools/list")
    assert (await program.send(message, headers)).status_code == 404
    assert "new__shout" in await Program(alice, f"{BASE}/mcp").tools(), "its gateways stay"


async def test_its_tool_speaks_of_its_servers_alone(
    gateway: InnerGateway, admin: httpx.AsyncClient, alice: httpx.AsyncClient, three: tuple[str, str, str]
):
    dead = await gateway.add(MCP, name="Dead", auth_type="none")
    await gateway.add("http://127.0.0.1:2/mcp", name="Dead elsewhere", auth_type="none")
    await make(admin, "dev", gateways=[three[0], dead])
    program = at(alice, "dev")
    assert "latchpin_connect" in await program.tools()
    said = text_in(await program.call("latchpin_connect"))
    assert "- Dead (dead) cannot be used now" in said
    assert "elsewhere" not in said


@pytest.mark.needs("latchpin_policy")
async def test_a_set_is_for_a_group_as_long_as_somebody_is_in_it(
    gateway: InnerGateway, admin: httpx.AsyncClient, alice: httpx.AsyncClient, three: tuple[str, str, str]
):
    from tests.policy.conftest import group  # not in every run

    await make(admin, "dev", gateways=[three[0]], allowed_users=["group:staff"])
    program = at(alice, "dev")
    message, headers = program.message("tools/list")
    assert (await program.send(message, headers)).status_code == 404
    await group(gateway, "staff", ALICE)
    assert "new__shout" in await program.tools()
    assert (await alice.get(SETS)).json()["total"] == 1
    await group(gateway, "staff", BOB)
    assert (await program.send(message, headers)).status_code == 404


async def test_what_happened_is_told(gateway: InnerGateway, admin: httpx.AsyncClient, caplog: pytest.LogCaptureFixture):
    del gateway
    with caplog.at_level("INFO"):
        await make(admin, "dev")
        await admin.put(f"{SETS}/dev", json={"name": "Dev"})
        await admin.delete(f"{SETS}/dev")
    told = [record.getMessage() for record in caplog.records if " the set dev" in record.getMessage()]
    assert told == [f"{ADMIN} {did} the set dev" for did in ("created", "changed", "removed")]


# -- pages, commands, and what doctor says ------------------------------------------------------------------------


async def test_people_see_their_sets_and_search_them(gateway: InnerGateway, admin: httpx.AsyncClient):
    files = await gateway.add(MCP, name="Files")
    await make(admin, "dev", name="Development", gateways=[files])
    await make(admin, "sales", name="Sales <b>", description="Numbers")
    await make(admin, "bobs", name="Bob's own", allowed_users=[BOB])
    async with gateway.browser() as browser:
        page = await browser.open(f"{BASE}/admin/sets")
        assert [name in page.text for name in ("Development", "Sales &lt;b&gt;", "Bob", "Make a set")] == [1, 1, 0, 0]
        assert f"{BASE}/mcp/dev" in page.text
        page = await browser.open(f"{BASE}/connect?endpoint=/mcp/dev")
        assert f"claude mcp add --transport http development {BASE}/mcp/dev" in page.text
        assert "That one is not there" in (await browser.open(f"{BASE}/connect?endpoint=/mcp/bobs")).text
        for wanted, found in (("FILES", "dev"), ("numbers", "sales"), ("bob", "")):
            page = await browser.open(f"{BASE}/admin/sets?q={wanted}")
            assert re.findall('id="set-([a-z]+)"', page.text) == ([found] if found else [])
        for path in ("/new", "/dev/edit", "/dev/remove"):
            assert (await browser.open(f"{BASE}/admin/sets{path}")).status == 403


@pytest.mark.backends("sqlite")
def test_the_commands(backend: GatewayBackend, tmp_path: Path):
    def latchpin(*arguments: str, code: int = 0) -> str:
        ended = run_latchpin(*arguments, env=settings_of(backend), cwd=tmp_path)
        assert ended.returncode == code, ended.stderr
        return ended.stderr if code else ended.stdout

    def doctor() -> str:
        return run_latchpin("doctor", "--offline", env=settings_of(backend), cwd=tmp_path).stdout

    assert json.loads(latchpin("sets", "list", "--json")) == []
    ids = [
        json.loads(latchpin("gateways", "add", f"{MCP}/{name}", "--name", name, "--auth", "none", "--json"))["id"]
        for name in ("One", "Two")
    ]
    named = ("--gateway", "Two", "--gateway", ids[0])
    made = json.loads(latchpin("sets", "create", "dev", "--name", "Dev", *named, "--allow", "*@b.org", "--json"))
    assert (made["gateways"], made["allowed_users"]) == (ids[::-1], ["*@b.org"])
    assert "no gateway with the id or name 'Three'" in latchpin("sets", "create", "x", "--gateway", "Three", code=1)
    changed = json.loads(latchpin("sets", "change", "dev", "--description", "For us", "--everybody", "--json"))
    assert (changed["name"], changed["gateways"], changed["allowed_users"]) == ("Dev", ids[::-1], [])
    assert made["url"] in latchpin("sets", "list")
    assert "For us" in latchpin("sets", "show", "dev")
    assert made["url"] in latchpin("clients", "config", "claude-code", "--endpoint", "/mcp/dev")
    assert "there is no such MCP endpoint" in latchpin("clients", "config", "cursor", "--endpoint", "/mcp/x", code=1)
    assert "Each set has a gateway" in doctor()
    for name in ("One", "Two"):
        latchpin("gateways", "remove", name, "--yes")
    assert "The set dev has no gateway" in doctor()
    latchpin("sets", "remove", "dev", "--yes")
    assert "no set with this slug" in latchpin("sets", "show", "dev", code=1)
