"""A tool that a rule holds back is neither listed nor callable, at a gateway's own endpoint and at the one endpoint.

The gateway is whole and in this process, its clock stands still; servers are real, and show what reached them.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from latchpin_audit.log import AuditLog

from tests.aggregator.conftest import ERAS, Era, Program, last_message, start_server, text_in
from tests.policy.conftest import OPERATOR, Recorded, book_of, group, rules, tool
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

BOB = "bob@example.com"
Place = tuple[InnerGateway, str]


@pytest.fixture
async def place(gateway: InnerGateway, server: Recorded) -> Place:
    """The gateway, and the id of the server's entry."""
    return gateway, await gateway.add(server.url, name="Notes", auth_type="none")


@contextlib.asynccontextmanager
async def at_its_own(place: Place, email: str = ALICE, era: Era = "modern") -> AsyncIterator[Program]:
    """A program at the gateway's own endpoint."""
    async with place[0].client(email) as http:
        yield Program(http, f"{BASE}/gateways/{place[1]}/mcp", era)


@contextlib.asynccontextmanager
async def at_the_one(gateway: InnerGateway, email: str = ALICE, era: Era = "modern") -> AsyncIterator[Program]:
    async with gateway.client(email) as http:
        yield Program(http, f"{BASE}/mcp", era)


def code_of(answer: dict[str, Any]) -> int:
    code: int = answer["error"]["code"]
    return code


# -- lists and calls --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["json", "events", "pages"])
async def test_it_is_neither_listed_nor_called(place: Place, server: Recorded, shape: str):
    server.events, server.pages = shape == "events", 2 if shape == "pages" else 0
    await rules(place[0], {"effect": "deny", "tools": "delete_*"})
    async with at_its_own(place) as program:
        listed = await program.tools()
        assert set(listed) == ({"get_note", "put_note"})
        answer = await program.call("delete_note")
        assert (code_of(answer), answer["error"]["message"]) == (-32602, "Unknown tool: delete_note")
        assert text_in(await program.call("put_note")) == "done"
    assert server.calls == ["put_note"]
    assert listed["get_note"] == server.tools[0], "what passes, passes as it is"


async def test_without_a_rule_about_the_caller_nothing_is_judged(place: Place, server: Recorded):
    await rules(place[0], {"effect": "deny", "tools": "*", "who": [BOB]})
    async with at_its_own(place) as program:
        assert set(await program.tools()) == {"get_note", "put_note", "delete_note"}
        batch = json.dumps([program.message("tools/call", name="delete_note")[0]]).encode()
        _, headers = program.message("tools/list")
        await program.send(batch, headers)
    assert batch in server.bodies, "bytes pass as before"


async def test_administrators_are_people_too(place: Place, server: Recorded):
    await rules(place[0], {"effect": "deny", "tools": "*"})
    async with at_its_own(place, ADMIN) as program:
        assert await program.tools() == {}
        assert code_of(await program.call("get_note")) == -32602
    assert server.calls == []


async def test_an_allow_rule_for_a_group_lets_its_members_have_that_alone(place: Place):
    gateway, entry = place
    gateway.clock.stop()
    await group(gateway, "readers", ALICE)
    await rules(gateway, {"effect": "allow", "tools": "get_*", "who": "group:readers", "gateway": entry})
    async with at_its_own(place) as alice, at_its_own(place, BOB) as bob:
        assert set(await alice.tools()) == {"get_note"}
        assert code_of(await alice.call("put_note")) == -32602
        assert len(await bob.tools()) == 3
        await group(gateway, "readers", BOB)
        gateway.clock.advance(seconds=1)
        assert len(await alice.tools()) == 3
        assert set(await bob.tools()) == {"get_note"}


@pytest.mark.parametrize("era", ERAS)
async def test_the_one_endpoint_obeys_within_a_second_whatever_it_keeps(place: Place, server: Recorded, era: Era):
    gateway, _ = place
    gateway.clock.stop()
    denying = {"effect": "deny", "tools": "delete_note", "who": [ALICE]}
    (made,) = await rules(gateway, denying)
    async with at_the_one(gateway, era=era) as program:
        assert set(await program.tools()) == {"notes__get_note", "notes__put_note"}
        await (await book_of(gateway)).remove_rule(made.id, OPERATOR)
        assert set(await program.tools()) == {"notes__get_note", "notes__put_note", "notes__delete_note"}
        (made,) = await rules(gateway, denying)
        assert set(await program.tools()) == {"notes__get_note", "notes__put_note"}
        answer = await program.call("notes__delete_note")
        assert code_of(answer) == -32602
        assert "notes__delete_note" not in answer["error"]["data"]["nearest"]
        assert text_in(await program.call("notes__put_note")) == "done"
        await (await book_of(gateway)).remove_rule(made.id, OPERATOR)
        assert len(await program.tools()) == 3
        assert text_in(await program.call("notes__delete_note")) == "done"
    assert server.calls == ["put_note", "delete_note"]
    assert server.count("tools/list") == 1, "what is kept is kept whole"


async def test_the_tools_that_pages_and_the_api_show_are_those(place: Place):
    gateway, _ = place
    with start_server("sessions") as real:
        there = await gateway.add(real.url, name="Real", auth_type="none")
        async with gateway.client(ALICE) as http:
            fetched = await http.post(f"{BASE}/oauth/fetch-tools/{there}", headers=await gateway.bearer())
            assert "shout" in {each["name"] for each in fetched.json()["tools"]}
            await rules(gateway, {"effect": "deny", "tools": "shout"})
            listed = (await http.get(f"{BASE}/gateways/{there}/tools", headers=await gateway.bearer())).json()
            assert "shout" not in {each["name"] for each in listed["tools"]}
            assert listed["total"] > 1


# -- conditions -------------------------------------------------------------------------------------------


async def test_a_call_is_judged_by_the_definition_as_it_was_listed(place: Place, server: Recorded):
    await rules(place[0], {"effect": "allow", "tools": "*", "when": "read-only"})
    async with at_its_own(place) as program:
        assert set(await program.tools()) == {"get_note"}
        assert text_in(await program.call("get_note")) == "done"
        assert code_of(await program.call("put_note")) == -32602
    assert server.calls == ["get_note"]
    assert server.count("tools/list") == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("events", [False, True])
async def test_of_a_tool_that_nobody_listed_the_server_is_asked_once(
    place: Place, server: Recorded, era: Era, events: bool
):
    gateway, _ = place
    server.events, server.pages = events, 1
    gateway.clock.stop()
    await rules(gateway, {"effect": "deny", "tools": "*", "when": "not-read-only"})
    async with at_its_own(place, era="modern") as program:
        if era == "sessions":
            program.era, program.session = "sessions", ""
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_note"}}
            answer = last_message(await program.send(message, program.headers("tools/call")))
            assert text_in(answer) == "done"
        else:
            assert text_in(await program.call("get_note")) == "done"
            assert code_of(await program.call("put_note")) == -32602
            assert code_of(await program.call("no_such_tool")) == -32602
        assert server.count("tools/list") == 3, "three pages, once"
        gateway.clock.advance(seconds=301)
        server.tools[0] = tool("get_note")  # it changes what it says of it
        if era == "modern":
            assert code_of(await program.call("get_note")) == -32602
    assert server.calls == ["get_note"]


async def test_where_the_definition_cannot_be_had_nothing_is_called(place: Place, server: Recorded):
    await rules(place[0], {"effect": "deny", "tools": "*", "when": "not-read-only"})
    server.wraps = lambda _body: b'{"jsonrpc": "2.0", "id": "latchpin-tools", "result": {"tools": [], "tools": []}}'
    async with at_its_own(place) as program:
        message, headers = program.message("tools/call", name="get_note")
        assert (await program.send(message, headers)).status_code == 502
    assert server.calls == []


# -- attacks: a call that is read in two ways -------------------------------------------------------------


def written(program: Program, name: str, **more: Any) -> tuple[bytes, dict[str, str]]:
    message, headers = program.message("tools/call", name=name, arguments={})
    return json.dumps(message | more).encode(), headers


DENIED = b'"delete_note"'
ATTACKS: dict[str, Any] = {
    "as it is": lambda body, headers: (body, headers),
    "the name twice": lambda body, headers: (body.replace(DENIED, b'"get_note", "name": "delete_note"'), headers),
    "the name twice, the other first": lambda body, headers: (
        body.replace(DENIED, b'"delete_note", "name": "get_note"'),
        headers | {"mcp-name": "get_note"},
    ),
    "the name twice, once with an escape": lambda body, headers: (
        body.replace(DENIED, b'"get_note", "n\\u0061me": "delete_note"'),
        headers | {"mcp-name": "get_note"},
    ),
    "params twice": lambda body, headers: (
        body.replace(b'"params":', b'"params": {"name": "get_note"}, "params":'),
        headers | {"mcp-name": "get_note"},
    ),
    "the method twice": lambda body, headers: (body.replace(b'"method":', b'"method": "ping", "method":'), headers),
    "an escape in the name": lambda body, headers: (body.replace(b"delete_note", b"d\\u0065lete_note"), headers),
    "an escape in the method": lambda body, headers: (body.replace(b"tools/call", b"tools\\/c\\u0061ll"), headers),
    "another name in the header": lambda body, headers: (body, headers | {"mcp-name": "get_note"}),
    "another method in the header": lambda body, headers: (body, headers | {"mcp-method": "tools/list"}),
    "a header with an underscore": lambda body, headers: (
        body.replace(DENIED, b'"get_note"'),
        headers | {"mcp-name": "get_note", "mcp_name": "delete_note"},
    ),
    "upper case": lambda body, headers: (
        body.replace(b"delete_note", b"Delete_Note"),
        headers | {"mcp-name": "Delete_Note"},
    ),
    "wide letters": lambda body, headers: (
        body.replace(b"delete_note", b"\\uff44elete_note"),
        headers | {"mcp-name": "=?base64?772EZWxldGVfbm90ZQ==?="},
    ),
    "a blank behind it": lambda body, headers: (
        body.replace(b"delete_note", b"delete_note "),
        headers | {"mcp-name": "=?base64?ZGVsZXRlX25vdGUg?="},
    ),
    "a batch": lambda body, headers: (b"[" + body + b"]", headers),
    "two lines": lambda body, headers: (b'{"jsonrpc": "2.0", "method": "ping", "id": 1}\n' + body, headers),
    "another media type": lambda body, headers: (body, headers | {"content-type": "text/plain"}),
    "no media type": lambda body, headers: (body, headers | {"content-type": ""}),
    "compressed": lambda body, headers: (gzip.compress(body), headers | {"content-encoding": "gzip"}),
    "said to be compressed": lambda body, headers: (body, headers | {"content-encoding": "x"}),
    "UTF-16": lambda body, headers: (body.decode().encode("utf-16"), headers),
    "a byte order mark": lambda body, headers: (b"\xef\xbb\xbf" + body, headers),
    "a method of its own": lambda body, headers: (
        body.replace(b"tools/call", b"tools/invoke"),
        headers | {"mcp-method": "tools/invoke"},
    ),
    "a notification of its own": lambda body, headers: (
        body.replace(b"tools/call", b"notifications/call").replace(b'"id": 1, ', b""),
        headers | {"mcp-method": "notifications/call"},
    ),
    "a method in upper case": lambda body, headers: (
        body.replace(b"tools/call", b"Tools/Call"),
        headers | {"mcp-method": "Tools/Call"},
    ),
    "without an id": lambda body, headers: (body.replace(b'"id": 1, ', b""), headers),
    "as a task": lambda body, headers: (body.replace(b'"arguments":', b'"task": {"ttl": 1}, "arguments":'), headers),
    "not text": lambda body, headers: (body.replace(DENIED, b'["delete_note"]'), headers),
    "a long one": lambda body, headers: (
        body.replace(b"delete_note", b"delete_note" + b"x" * 300),
        headers | {"mcp-name": "delete_note" + "x" * 300},
    ),
    "in the charset that its type names": lambda body, headers: (
        body.replace(b"delete", b"+AGQAZQBsAGUAdABl-"),
        headers | {"content-type": "application/json; charset=utf-7", "mcp-name": "+AGQAZQBsAGUAdABl-_note"},
    ),
    "much of it": lambda body, headers: (body.replace(b"{}", b'{"x": "%s"}' % (b"x" * 5_000_000)), headers),
}


@pytest.mark.parametrize("era", ERAS)
async def test_no_way_of_writing_a_call_reaches_the_server(place: Place, server: Recorded, era: Era):
    await rules(place[0], {"effect": "deny", "tools": "delete_note"})
    async with at_its_own(place, era="modern") as program:
        if era == "sessions":  # a server without sessions of its own, and a program of the era with them
            params = {"name": "delete_note", "arguments": {}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            body = json.dumps(message).encode()
            headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        else:
            body, headers = written(program, "delete_note")
        for attack, rewrite in ATTACKS.items():
            sent, fields = rewrite(body, headers)
            answer = await program.http.post(program.url, content=sent, headers=fields)
            assert server.bodies == [], (attack, answer.text)
            assert answer.status_code in {200, 400, 404, 413, 415, 422}, (attack, answer.text)
            assert "result" not in answer.json(), attack


async def test_a_large_call_is_judged_and_passes(place: Place, server: Recorded):
    await rules(place[0], {"effect": "deny", "tools": "delete_note"})
    async with at_its_own(place) as program:
        assert text_in(await program.call("put_note", text="x" * 1_000_000)) == "done"
    assert server.calls == ["put_note"]


async def test_a_get_has_no_body(place: Place, server: Recorded):
    await rules(place[0], {"effect": "deny", "tools": "*"})
    async with at_its_own(place) as program:
        body, headers = written(program, "delete_note")
        for method in ("GET", "DELETE"):
            answer = await program.http.request(method, program.url, content=body, headers=headers)
            assert answer.status_code == 400, method
    assert server.bodies == []


async def test_what_mcp_has_passes_where_a_rule_holds(place: Place, server: Recorded):
    await rules(place[0], {"effect": "deny", "tools": "*"})
    async with at_its_own(place) as program:
        for method, params in (
            ("prompts/get", {"name": "delete_note"}),
            ("resources/read", {"uri": "note://1"}),
            ("completion/complete", {"ref": {"type": "ref/prompt", "name": "a"}}),
            ("server/discover", {}),
        ):
            assert "result" in await program.ask(method, **params), method
    assert len(server.bodies) == 4


# -- attacks: a list that is read in two ways -------------------------------------------------------------


LISTS: dict[str, Any] = {
    "as it is": lambda body: body,
    "the list twice, an empty one last": lambda body: body.replace(b', "resultType"', b', "tools": [], "resultType"'),
    "the list twice": lambda body: body.replace(b'"tools":', b'"tools": [], "tools":', 1),
    "with escapes": lambda body: body.replace(b'"tools"', b'"t\\u006fols"').replace(b"delete", b"d\\u0065lete"),
    "the name twice": lambda body: body.replace(b'"name": "delete_note"', b'"name": "x", "name": "delete_note"'),
    "as a batch": lambda body: b"[" + body + b"]",
    "with a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "in capitals": lambda body: body.replace(b'"tools"', b'"Tools"'),
    "with a letter that some take for an s": lambda body: body.replace(b'"tools"', '"tool\u017f"'.encode()),
    "with that letter escaped": lambda body: body.replace(b'"tools"', b'"tool\\u017f"'),
    "in a result in capitals": lambda body: body.replace(b'"result"', b'"Result"'),
}


@pytest.mark.parametrize("shape", ["json", "events", "resumed"])
async def test_no_way_of_writing_a_list_shows_it(place: Place, server: Recorded, shape: str):
    server.events = shape == "events"
    await rules(place[0], {"effect": "deny", "tools": "delete_note"})
    async with at_its_own(place) as program:
        for written_so, wraps in LISTS.items():
            server.wraps = wraps
            message, headers = program.message("tools/list")
            if shape == "resumed":
                resuming = {"last-event-id": "1", "accept": "text/event-stream"}
                answer = await program.http.get(program.url, headers=resuming)
            else:
                answer = await program.send(message, headers)
            text = answer.text.replace("\\u0065", "e")
            assert "delete_note" not in text, written_so
            if written_so == "as it is":
                assert "get_note" in text
    assert server.count("tools/list") == (0 if shape == "resumed" else len(LISTS)), "each was read anew"


CHARSETS = [
    ("application/json; charset=utf-7", False),
    ("application/json; charset=iso-8859-1", False),
    ("application/json; charset=UTF-8", True),
    ("text/event-stream; charset=utf-7", False),
    ("text/plain; charset=utf-7", False),
    ("text/plain; charset=utf-8; charset=utf-7", False),
    ("text/html; charset=iso-8859-1", True),  # a web server's own page
]


@pytest.mark.parametrize(("kind", "passes"), CHARSETS)
async def test_where_a_rule_holds_no_answer_is_read_in_another_charset(
    place: Place, server: Recorded, kind: str, passes: bool
):
    body = b"+AHs-" if "plain" in kind else b"<p>" if "html" in kind else b'{"jsonrpc": "2.0", "id": 1, "result": {}}'
    server.says = (kind, body)
    async with at_its_own(place) as program:
        assert body in (await program.send(*program.message("ping"))).content, "no rule holds"
        await rules(place[0], {"effect": "deny", "tools": "delete_note"})
        answer = await program.send(*program.message("ping"))
        assert (answer.status_code, body in answer.content) == ((200, True) if passes else (502, False))


async def test_a_list_that_is_too_long_to_be_read_does_not_pass(place: Place, server: Recorded):
    server.tools[0]["description"], server.events = "x" * 9_000_000, True
    await rules(place[0], {"effect": "deny", "tools": "delete_note"})
    async with at_its_own(place) as program:
        answer = await program.send(*program.message("tools/list"))
        assert "delete_note" not in answer.text


# -- what is told -----------------------------------------------------------------------------------------


async def test_the_operator_reads_which_rule_decided_and_the_program_does_not(place: Place, log: Any):
    (made,) = await rules(place[0], {"effect": "deny", "tools": "delete_note", "note": "no"})
    async with at_its_own(place) as program:
        answer = await program.call("delete_note")
    assert made.id not in json.dumps(answer)
    line = f"Held back tool 'delete_note' of gateway {place[1]} from user {ALICE}: {made.name}"
    assert line in log()
    entry = await AuditLog.of(place[0].application.services.context).records.last()
    assert entry is not None
    assert (entry.event, entry.facts) == ("tool.refused", {"tool": "delete_note", "rule": made.name})
