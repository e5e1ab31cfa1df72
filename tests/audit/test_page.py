"""The audit log as administrators read it: on a page, and by the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from latchpin_audit import newest
from latchpin_audit.chain_sink import ChainSink
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Pseudonyms

from tests.audit.test_calls import record_of
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway, open_gateway

NEEDS = ("latchpin_audit", "latchpin_memory_store")
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    async with open_gateway() as opened:
        yield opened


async def client_of(gateway: InnerGateway, email: str = ADMIN) -> httpx.AsyncClient:
    return gateway.client(None, **await gateway.bearer(email, admin=email == ADMIN))


async def ask(gateway: InnerGateway, path: str, **asked: object) -> httpx.Response:
    async with await client_of(gateway) as admin:
        answer = await admin.get(BASE + path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer


async def recorded(gateway: InnerGateway, *names: str, **about: str) -> None:
    log = AuditLog.of(gateway.application.services.context)
    await ChainSink(log).write([replace(record_of(name), **about) for name in names])
    await log.close()


async def test_what_was_done_and_who_called_what(gateway: InnerGateway):
    entry = await gateway.add("https://notes.example.com/mcp", name="Notes", auth_type="none")
    await recorded(gateway, "get_note", "put_note", gateway_id=entry)
    done = (await ask(gateway, "/audit")).json()
    assert [each["event"] for each in done["entries"]] == ["gateway.created"]
    assert (done["entries"][0]["actor_address"], done["entries"][0]["gateway_name"]) == (ADMIN, "Notes")
    calls = (await ask(gateway, "/audit", calls=True)).json()
    assert [each["facts"]["name"] for each in calls["entries"]] == ["put_note", "get_note"], "the newest first"
    assert {each["actor_address"] for each in calls["entries"]} == {ALICE}
    assert calls["entries"][0].keys() == done["entries"][0].keys()
    page = (await ask(gateway, "/admin/audit", calls=True)).text
    assert "tools/call put_note" in page
    assert "Notes" in page
    assert "gateway.created" in (await ask(gateway, "/admin/audit")).text


async def test_a_part_of_what_an_entry_says_finds_it(gateway: InnerGateway):
    await recorded(gateway, "get_note", "delete_note")
    for text in ("DELETE_note", "delete"):
        (found,) = (await ask(gateway, "/audit", calls=True, q=text)).json()["entries"]
        assert found["facts"]["name"] == "delete_note"
    assert len((await ask(gateway, "/audit", calls=True, q=ALICE)).json()["entries"]) == 2
    assert "Nothing here matches." in (await ask(gateway, "/admin/audit", calls=True, q="nothing like it")).text


async def test_the_store_is_asked_once_whose_each_pseudonym_is(gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch):
    await recorded(gateway, *(f"tool_{number}" for number in range(10)))
    asked, name_of = [], Pseudonyms.name_of

    async def count(pseudonyms: Pseudonyms, pseudonym: str) -> str | None:
        asked.append(pseudonym)
        return await name_of(pseudonyms, pseudonym)

    monkeypatch.setattr(Pseudonyms, "name_of", count)
    assert len((await ask(gateway, "/audit", calls=True, q=ALICE)).json()["entries"]) == 10
    assert len(asked) == 1


async def test_page_by_page_to_the_first(gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(newest, "_PAGE", 3)
    await recorded(gateway, *(f"tool_{number}" for number in range(10)))
    seen, before = [], 0
    while True:
        part = (await ask(gateway, "/audit", calls=True, limit=4, before=before)).json()
        seen += [each["facts"]["name"] for each in part["entries"]]
        before = part["earlier"]
        if not before:
            break
    assert seen == [f"tool_{number}" for number in reversed(range(10))]
    assert "Earlier entries" not in (await ask(gateway, "/admin/audit", calls=True)).text


async def test_one_answer_looks_through_so_many_and_says_where_it_stopped(gateway: InnerGateway, monkeypatch):
    monkeypatch.setattr(newest, "_PAGE", 2)
    monkeypatch.setattr(newest, "MOST_READ", 4)
    await recorded(gateway, "wanted", *(f"tool_{number}" for number in range(7)))
    first = (await ask(gateway, "/audit", calls=True, q="wanted")).json()
    assert first == {"entries": [], "earlier": 5}
    then = (await ask(gateway, "/audit", calls=True, q="wanted", before=first["earlier"])).json()
    assert [each["facts"]["name"] for each in then["entries"]] == ["wanted"]
    assert "Earlier entries" in (await ask(gateway, "/admin/audit", calls=True, q="wanted")).text


async def test_what_a_program_wrote_is_text_on_the_page(gateway: InnerGateway):
    await recorded(gateway, EVIL)
    page = (await ask(gateway, "/admin/audit", calls=True, q=EVIL)).text
    assert EVIL not in page
    assert "&lt;img" in page


@pytest.mark.parametrize(
    ("setting", "calls", "said"),
    [
        ({}, False, "Nothing has happened yet."),
        ({}, True, "Set <code>AUDIT_CALLS=chain</code>"),
        ({"AUDIT_CALLS": "lines", "AUDIT_CALLS_FILE": "calls.jsonl"}, True, "They go out as JSON lines"),
        ({"AUDIT_LOG": "false"}, False, "<code>AUDIT_LOG</code> is off."),
        ({"AUDIT_CALLS": "chain"}, True, "Nothing has happened yet."),
    ],
)
async def test_an_empty_log_says_why(environment: pytest.MonkeyPatch, tmp_path, setting, calls, said):
    environment.chdir(tmp_path)
    for name, value in setting.items():
        environment.setenv(name, value)
    async with open_gateway() as opened:
        assert said in (await ask(opened, "/admin/audit", calls=calls)).text


@pytest.mark.parametrize("path", ["/audit", "/admin/audit"])
async def test_nobody_but_an_administrator_reads_it(gateway: InnerGateway, path: str):
    async with await client_of(gateway, ALICE) as alice:
        assert (await alice.get(BASE + path)).status_code == 403
    async with gateway.client(None) as stranger:
        assert (await stranger.get(BASE + path)).status_code == 401


@pytest.mark.parametrize("query", ["before=-1", "before=x", "limit=0", "limit=201", f"q={'x' * 201}", "calls=perhaps"])
async def test_a_question_that_does_not_hold_is_refused(gateway: InnerGateway, query: str):
    async with await client_of(gateway) as admin:
        assert (await admin.get(f"{BASE}/audit?{query}")).status_code in {400, 422}
