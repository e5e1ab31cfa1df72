"""What each kind of client is told whose person has no token for the MCP server: the tables of docs/client-answers.md.

A client is known here by what it declares. ``RECORDED`` has what real ones send, by their own announcements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.model import Caller
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.server import open_server
from latchpin_proxy.endpoint import ANSWERED

from tests.authorization_server.conftest import Endpoint, StockClient
from tests.authorization_server.test_dead_upstream import disconnect, signs_in_again
from tests.providers import FaultSwitch, sign_in
from tests.providers.faults import answer as answering
from tests.providers.faults import status
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

DOCS = Path(__file__).parents[2] / "docs" / "client-answers.md"
BOB = "bob@example.com"
FORMS, LINKS = {"elicitation": {}}, {"elicitation": {"form": {}, "url": {}}}


@dataclass(frozen=True)
class Kind:
    """What a client says of itself.

    Attributes:
        modern: it speaks 2026-07-28, and declares in each request.
    """

    capabilities: Mapping[str, Any]
    version: str
    modern: bool = False


KINDS = {
    "2025-06-18": Kind({}, "2025-06-18"),
    "2025-11-25": Kind(FORMS, "2025-11-25"),
    "2025-11-25, opens links": Kind(LINKS, "2025-11-25"),
    "2026-07-28": Kind(FORMS, "2026-07-28", modern=True),
    "2026-07-28, opens links": Kind(LINKS, "2026-07-28", modern=True),
}
TOLD = {
    # kind: tools/call with OAuth, tools/list with OAuth, tools/call with a token of its own, tools/list with one
    "2025-06-18": ("sign-in", "sign-in", "result", "error"),
    "2025-11-25": ("sign-in", "sign-in", "result", "error"),
    "2025-11-25, opens links": ("open", "sign-in", "open", "open"),
    "2026-07-28": ("sign-in", "sign-in", "result", "error"),
    "2026-07-28, opens links": ("ask", "sign-in", "ask", "error"),
}


class Program:
    """A client of one kind, with a token."""

    def __init__(self, http: httpx.AsyncClient, url: str, kind: Kind, token: str) -> None:
        self.http, self.url, self.kind = http, url, kind
        self.headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": kind.version,
        }

    async def begin(self) -> httpx.Response | None:
        """Say what it can do, where that is said beforehand."""
        if self.kind.modern:
            return None
        answer = await self.ask(
            "initialize",
            protocolVersion=self.kind.version,
            capabilities=self.kind.capabilities,
            clientInfo={"name": "c", "version": "1"},
        )
        self.headers |= {"mcp-session-id": answer.headers.get("mcp-session-id", "")}
        return answer

    async def ask(self, method: str, **params: Any) -> httpx.Response:
        headers = dict(self.headers)
        if self.kind.modern:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": self.kind.version,
                "io.modelcontextprotocol/clientCapabilities": self.kind.capabilities,
                "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
            }
            headers |= {"mcp-method": method} | ({"mcp-name": params["name"]} if "name" in params else {})
        message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        return await self.http.post(self.url, json=message, headers=headers)

    async def call(self, **params: Any) -> httpx.Response:
        return await self.ask("tools/call", name="add", arguments={"a": 1, "b": 2}, **params)


def way_of(answer: httpx.Response) -> str:
    """How the client was told, which has to be whole; what it was told is for people to read."""
    if answer.status_code == 401:
        assert signs_in_again(answer)
        return "sign-in"
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["jsonrpc"], said["id"]) == ("2.0", 7)
    if "error" not in said:
        result = said["result"]
        if result.get("resultType") == "input_required":
            [asked] = result["inputRequests"].values()
            assert asked["method"] == "elicitation/create"
            assert set(asked["params"]) == {"mode", "message", "url"}
            assert link_of(answer) == asked["params"]["url"]
            assert result["requestState"]
            return "ask"
        assert result["isError"] is True
        assert link_of(answer) in result["content"][0]["text"]
        assert ALICE in result["content"][0]["text"]
        return "result"
    error = said["error"]
    if error["code"] == -32042:
        [asked] = error["data"]["elicitations"]
        assert set(asked) == {"mode", "elicitationId", "message", "url"}
        assert link_of(answer) == asked["url"]
        return "open"
    assert link_of(answer) in error["message"]
    assert link_of(answer) == error["data"]["authorize_url"]
    return "error"


def link_of(answer: httpx.Response) -> str:
    """The link, which is one of ours and the same wherever it stands."""
    words = answer.text.replace('"', " ").replace("\\", " ").split()
    [link] = {word for word in words if word.startswith(f"{BASE}/oauth/authorize/")}
    assert "/for/" in link
    assert "alice" not in link
    return link


async def own_token(gateway: InnerGateway) -> str:
    token: str = await gateway.application.signed_tokens.create_bearer(ALICE, False, timedelta(days=1))
    return token


@pytest.fixture
async def token(stock: StockClient, browser) -> str:
    """The access token of a client whose person is connected."""
    return str((await stock.gets_in(browser))["access_token"])


async def program(stock: StockClient, kind: Kind, token: str) -> Program:
    """A client that has begun while its person was connected."""
    found = Program(stock.http, stock.mcp_url, kind, token)
    begun = await found.begin()
    assert begun is None or begun.status_code == 200
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_client_is_told_without_a_token_for_the_server(gateway, files, stock, token, kind: str):
    programs = [await program(stock, KINDS[kind], each) for each in (token, await own_token(gateway))]
    await disconnect(gateway, files)
    told = [way_of(answer) for each in programs for answer in (await each.call(), await each.ask("tools/list"))]
    assert tuple(told) == TOLD[kind]


@pytest.fixture
def holding_little(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PROXY_HELD_BYTES", "1000")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("holding_little")
async def test_what_is_too_large_to_be_held_is_told_too(gateway, files, stock, token, kind: str):
    """But it is asked nothing: it could not be read what it brought when it came again."""
    programs = [await program(stock, KINDS[kind], each) for each in (token, await own_token(gateway))]
    await disconnect(gateway, files)
    told = [way_of(await each.call(filler="x" * 100_000)) for each in programs]
    signs_in, given = TOLD[kind][0], TOLD[kind][2]
    assert told == ["sign-in" if signs_in == "ask" else signs_in, "result" if given == "ask" else given]
    answer = await programs[1].call(filler="x" * ANSWERED)
    assert (answer.status_code, answer.json()["cause"]) == (403, "authorization-required")


@pytest.mark.usefixtures("holding_little")
async def test_what_went_on_to_the_server_in_part_is_told_by_the_status(gateway, stock, token, provider: FaultSwitch):
    own = await program(stock, KINDS["2025-06-18"], await own_token(gateway))
    provider.arm("mcp", status(403, www_authenticate='Bearer error="insufficient_scope", scope="files:write"'))
    assert (await own.call(filler="x" * 100_000)).status_code == 403


@pytest.mark.parametrize("kind", ["2025-06-18", "2025-11-25, opens links"])
async def test_a_client_begins_with_a_sign_in_or_a_link(gateway, files, stock, token, kind: str):
    await disconnect(gateway, files)
    begun = await Program(stock.http, stock.mcp_url, KINDS[kind], token).begin()
    assert begun is not None
    assert signs_in_again(begun)
    own = await Program(stock.http, stock.mcp_url, KINDS[kind], await own_token(gateway)).begin()
    assert own is not None
    assert way_of(own) == "error"


async def test_a_service_has_nobody_to_sign_in(gateway: InnerGateway, stock: StockClient, files: Endpoint):
    server = await open_server(gateway.application.services.context)
    client = Client("reports", "Reports", "entered", acts_as=ALICE)
    await server.client_records.put(StoredClient(client, gateway.clock()))
    token = await server.access_tokens.sign(email=ALICE, client_id=client.id, resource=files.url)
    assert way_of(await Program(stock.http, stock.mcp_url, KINDS["2025-11-25"], token).call()) == "result"


async def test_what_wants_no_answer_is_told_by_the_status(gateway, files, stock, token):
    await disconnect(gateway, files)
    for each, code in ((token, 401), (await own_token(gateway), 403)):
        headers = {"authorization": f"Bearer {each}"}
        for answer in (
            await stock.http.get(stock.mcp_url, headers=headers),
            await stock.http.post(stock.mcp_url, json={"jsonrpc": "2.0", "method": "n"}, headers=headers),
            await stock.http.post(stock.mcp_url, content=b"no JSON", headers=headers),
        ):
            assert answer.status_code == code
            assert answer.json()["authorize_url"].startswith(f"{BASE}/oauth/authorize/{files.gateway_id}/for/")
            assert ("www-authenticate" in answer.headers) == (code == 401)


async def test_the_link_is_of_use_to_its_person_alone(gateway: InnerGateway, files: Endpoint, stock, token, browser):
    own = await program(stock, KINDS["2025-06-18"], await own_token(gateway))
    await disconnect(gateway, files)
    link = link_of(await own.call())
    async with gateway.browser(BOB) as other:
        page = await other.open(link)
        assert (page.status, "somebody else" in page.text) == (403, True)
        assert (await other.open(link[:-1])).status == 403
    await browser.open(link)
    assert (await sign_in(browser)).title.startswith("OAuth Authorization Successful")
    assert '"isError":false' in (await own.call()).text


# -- asked within the request (2026-07-28) ------------------------------------------------------------------------


@pytest.fixture
def impatient(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PROXY_AUTHORIZATION_WAIT", "0")


@pytest.fixture
async def asking(impatient, gateway, files, stock, token) -> Program:
    """A client that can be asked, whose person is connected no more."""
    found = await program(stock, KINDS["2026-07-28, opens links"], token)
    await disconnect(gateway, files)
    return found


def accepted(answer: httpx.Response, action: str = "accept") -> dict[str, Any]:
    """What a client sends with the same request, after its person agreed to open the link."""
    result = answer.json()["result"]
    return {
        "requestState": result["requestState"],
        "inputResponses": {name: {"action": action} for name in result.get("inputRequests", {})},
    }


async def test_the_request_goes_on_once_its_person_is_done(asking: Program, browser, provider: FaultSwitch):
    first = await asking.call()
    await browser.open(link_of(first))
    await sign_in(browser)
    provider.forget()
    done = await asking.call(**accepted(first))
    assert "3" in done.json()["result"]["content"][0]["text"]
    [sent] = provider.asked("mcp")
    assert not {"requestState", "inputResponses"} & set(sent.json["params"])


async def test_who_has_not_come_back_is_waited_for_without_another_question(asking: Program):
    answer = await asking.call()
    for _ in range(7):
        answer = await asking.call(**accepted(answer))
        assert set(answer.json()["result"]) == {"resultType", "requestState"}
    assert way_of(await asking.call(**accepted(answer))) == "result"


async def test_who_declines_is_told_the_link(asking: Program):
    for action in ("decline", "cancel"):
        assert way_of(await asking.call(**accepted(await asking.call(), action))) == "result"


async def test_a_server_that_refuses_all_the_same_is_told(asking: Program, gateway, files, browser, provider):
    first = await asking.call()
    await browser.open(link_of(first))
    await sign_in(browser)
    provider.arm("mcp", status(401, www_authenticate="Bearer"))
    assert way_of(await asking.call(**accepted(first))) == "result"
    found = await gateway.application.gateways.get_any(files.gateway_id)
    assert await gateway.application.must_authorize(found, Caller(ALICE))  # the next sign-in leads there


async def test_a_state_is_its_persons_for_its_request_alone(asking: Program, gateway: InnerGateway, provider):
    brought = accepted(await asking.call())
    assert not_yours(await asking.ask("tools/call", name="add", arguments={"a": 1, "b": 3}, **brought))
    elsewhere = Endpoint(await gateway.add(provider.provider.mcp_url, name="Others")).url
    for email, url in ((BOB, asking.url), (ALICE, elsewhere)):
        token = await gateway.application.signed_tokens.create_bearer(email, False, timedelta(days=1))
        assert not_yours(await Program(asking.http, url, asking.kind, token).call(**brought))
    forged = {**brought, "requestState": brought["requestState"][:-2] + "AA"}
    assert not_yours(await asking.call(**forged))


def not_yours(answer: httpx.Response) -> bool:
    """Whether the request was refused in the words of the protocol."""
    said = answer.raise_for_status().json()
    return (said["id"], said["error"]["code"], said["error"]["data"]["cause"]) == (7, -32602, "not-yours")


async def test_a_servers_own_question_is_not_mixed_with_ours(asking: Program, gateway, files, browser, provider):
    """Its state would be lost: the client is sent through the sign-in, and asks with it again."""
    await browser.open(link_of(await asking.call()))
    await sign_in(browser)
    question = {"resultType": "input_required", "requestState": "of the server", "inputRequests": {}}
    provider.arm("mcp", answering({"jsonrpc": "2.0", "id": 7, "result": question}), times=1)
    state = (await asking.call()).json()["result"]["requestState"]
    await disconnect(gateway, files)
    assert signs_in_again(await asking.call(requestState=state, inputResponses={}))


# -- by what real clients declare ---------------------------------------------------------------------------------

RECORDED = {
    "Claude Code": Kind({"roots": {"listChanged": True}, "elicitation": {}}, "2026-07-28", modern=True),  # (1)
    "VS Code": Kind(  # (2)
        {
            "roots": {"listChanged": True},
            "sampling": {},
            "elicitation": {"form": {}, "url": {}},
            "tasks": {"list": {}, "cancel": {}},
        },
        "2025-11-25",
    ),
    "Cursor": Kind({"roots": {}, "elicitation": {}}, "2025-06-18"),  # (3)
    "ChatGPT": Kind(  # (4)
        {
            "experimental": {"openai/visibility": {"enabled": True}},
            "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}},
        },
        "2025-11-25",
    ),
    "Codex": Kind({"elicitation": {"form": {}, "url": {}}}, "2025-06-18"),  # (5)
}
"""(1) 2.1.237, anthropics/claude-code#88075, on the wire. (2) 1.109, microsoft/vscode#291432 and
apify/mcp-client-capabilities. (3) apify/mcp-client-capabilities. (4) openai-mcp 1.0.0, as servers logged it. (5) 0.147,
as servers logged it; it declines links at once."""
GETS_ON = {
    "Claude Code": "sign-in",
    "VS Code": "open",
    "Cursor": "sign-in",
    "ChatGPT": "sign-in",
    "Codex": "sign-in",
}


@pytest.mark.parametrize("name", RECORDED)
async def test_a_real_client_is_told_what_it_can_use(gateway, files, stock, token, name: str):
    found = await program(stock, RECORDED[name], token)
    await disconnect(gateway, files)
    assert way_of(await found.call()) == GETS_ON[name]
    assert way_of(await found.ask("tools/list")) == "sign-in"


WORDS = {
    "sign-in": "401",
    "result": "a tool result with the link",
    "error": "an error with the link",
    "open": "error -32042",
    "ask": "a question",
}


def test_the_docs_say_so():
    rows = {row.strip("| ").split(" | ")[0]: row.strip("| ").split(" | ")[1:] for row in DOCS.read_text().splitlines()}
    for kind, told in TOLD.items():
        assert rows[kind] == [WORDS[way] for way in told]
    for name, kind in RECORDED.items():
        opens = isinstance(kind.capabilities.get("elicitation", {}).get("url"), dict)
        opens &= kind.version >= "2025-11-25"  # before, nobody could be asked to
        assert rows[name] == [kind.version + (", opens links" if opens else ""), WORDS[GETS_ON[name]]]
