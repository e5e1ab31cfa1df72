"""What is kept is read to the last one, however little a store gives at once."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from latchpin.model import Caller, CollectionSpec, Document, Span
from latchpin.sdk.stores import scan_all
from latchpin_aggregator.sets.directory import open_sets
from latchpin_aggregator.sets.entry import parse_set_body
from latchpin_attention.outbox import Outbox, outbox_spec
from latchpin_audit.losses import LOSSES, read_losses
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.configuration import ClientEntries
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.grants.grant import Grant
from latchpin_authorization_server.grants.records import GrantRecords
from latchpin_authorization_server.people.applications import Applications
from latchpin_authorization_server.personal_tokens.records import PersonalTokenRecords
from latchpin_authorization_server.personal_tokens.service import open_personal_tokens
from latchpin_authorization_server.personal_tokens.token import PersonalToken, make_token
from latchpin_authorization_server.server import open_server
from latchpin_config.marks import Mark, Marks
from latchpin_memory_store.collections import MemoryCollection
from latchpin_policy.book import book_of
from latchpin_policy.entry import RuleBody
from latchpin_policy.pin import Pin, Variant, hash_of
from latchpin_policy.pins import PINS, pins_of
from latchpin_scim.records import UserRecords
from latchpin_scim.user import User
from latchpin_testing import MovedClock

from tests.support.gateway_in_process import ADMIN, InnerGateway, open_gateway

pytestmark = pytest.mark.needs(
    "latchpin_aggregator",
    "latchpin_attention",
    "latchpin_audit",
    "latchpin_authorization_server",
    "latchpin_config",
    "latchpin_memory_store",
    "latchpin_policy",
    "latchpin_scim",
)

AT_ONCE = 2
MANY = 3 * AT_ONCE + 1
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ADMINISTRATOR = Caller(ADMIN, is_admin=True)
TOO_MANY = 10_001
THINGS = CollectionSpec("reading_things", ("owner",))


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents each scan gave: a store that gives two at most, as it may."""
    given: list[int] = []
    inner = MemoryCollection.scan

    @functools.wraps(inner)
    async def scan(self: MemoryCollection, *args: Any, limit: int, **options: Any) -> list[Document]:
        found = await inner(self, *args, limit=min(limit, AT_ONCE), **options)
        given.append(len(found))
        return found

    monkeypatch.setattr(MemoryCollection, "scan", scan)
    return given


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch, pages: list[int]) -> AsyncIterator[InnerGateway]:
    async with open_gateway() as opened:
        yield opened


@pytest.fixture
async def things() -> MemoryCollection:
    """Those of Ada and, between them by id, those of Bob; the ids of one owner are not in the order they came in."""
    made = MemoryCollection(THINGS, MovedClock())
    for number in reversed(range(2 * MANY)):
        await made.put(Document(f"{number:03}", {}, {"owner": "bob" if number % 2 else "ada"}))
    return made


# -- scan_all -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [False, True])
async def test_each_is_met_once_and_in_order(things: MemoryCollection, pages: list[int], newest_first: bool):
    met = [(held.fields["owner"], held.id) async for held in scan_all(things, "owner", newest_first=newest_first)]
    assert met == sorted(met, reverse=newest_first)
    assert len(set(met)) == 2 * MANY
    ids = [held.id async for held in scan_all(things, newest_first=newest_first)]
    assert ids == sorted(ids, reverse=newest_first)
    assert len(set(ids)) == 2 * MANY
    assert pages.count(0) == 2, "each ended at the first page without one"


async def test_a_part_of_it_is_read_and_from_a_place_on(things: MemoryCollection, pages: list[int]):
    of_bob = [held.id async for held in scan_all(things, "owner", Span.only("bob"))]
    assert of_bob == [f"{number:03}" for number in range(1, 2 * MANY, 2)]
    seen = ("bob", of_bob[2])
    assert [held.id async for held in scan_all(things, "owner", Span.only("bob"), after=seen)] == of_bob[3:]
    pages.clear()
    assert [held.id async for held in scan_all(things, "owner", page=1)]
    assert max(pages) == 1


async def test_what_was_met_may_be_removed_before_the_next_is_asked_for(things: MemoryCollection, pages: list[int]):
    async for held in scan_all(things, "owner", Span.only("ada")):
        await things.delete(held.id)
    assert await things.count("owner") == MANY


async def test_an_index_that_nobody_declared_is_refused(things: MemoryCollection):
    with pytest.raises(ValueError, match="no index 'ownr'"):
        await anext(scan_all(things, "ownr"))


# -- who reads by it ----------------------------------------------------------------------------------------


async def test_all_that_files_rule_is_read(gateway: InnerGateway):
    marks = Marks.of(gateway.application.services.context)
    made = [Mark("gateways", f"g{each}", f"id-{each}", "test", "a.yaml:1", NOW, ADMIN) for each in range(MANY)]
    await marks.put_all([*made, Mark("rules", "r", "id-r", "test", "a.yaml:9", NOW, ADMIN)])
    assert len(await marks.all()) == MANY + 1
    assert {each.name for each in await marks.of_kind("gateways")} == {each.name for each in made}


async def test_all_entered_clients_are_read_for_files(gateway: InnerGateway):
    server = await open_server(gateway.application.services.context)
    for each in range(MANY):
        client = Client(f"client-{each}", "Editor", "entered", redirect_uris=("http://127.0.0.1/cb",))
        await server.client_records.put(StoredClient(client, NOW + timedelta(seconds=each), ADMIN))
    nothing_else: Any = None
    standing = await ClientEntries(server, ADMINISTRATOR).read(nothing_else)
    assert [each.id for each in standing] == [f"client-{each}" for each in reversed(range(MANY))]


async def test_all_that_people_allowed_is_listed(gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch):
    """More than one list held once."""
    server = await open_server(gateway.application.services.context)
    token, _ = make_token(email="a@example.com", name="t", resources=(), now=NOW, expires_at=NOW)
    grant = Grant("g", "a@example.com", "app", "App", "", "https://mcp.example.com", NOW, NOW, "", NOW)

    async def tokens(_records: PersonalTokenRecords, _email: str | None) -> AsyncIterator[PersonalToken]:
        for _ in range(TOO_MANY):
            yield token

    async def grants(_records: GrantRecords) -> AsyncIterator[Grant]:
        for _ in range(TOO_MANY):
            yield grant

    monkeypatch.setattr(PersonalTokenRecords, "list", tokens)
    monkeypatch.setattr(GrantRecords, "of_everybody", grants)
    assert len(await (await open_personal_tokens(gateway.application.services.context)).list(ADMINISTRATOR)) == TOO_MANY
    assert len(await Applications(server).list(ADMINISTRATOR)) == TOO_MANY


async def test_all_of_an_outbox_is_listed(gateway: InnerGateway):
    context = gateway.application.services.context
    documents = context.collection(outbox_spec("reading_outbox"))
    day = timedelta(days=1)
    outbox = Outbox(documents, context.clock, pauses=[day], claimed_for=day, kept_for=day)
    for each in range(MANY):
        await outbox.put(f"entry-{each}", {})
    assert [each.id for each in await outbox.list("waiting")] == [f"entry-{each}" for each in range(MANY)]


async def test_all_rules_hold(gateway: InnerGateway):
    book = await book_of(gateway.application)
    for each in range(MANY):
        body = RuleBody(effect="deny", tools=[f"tool_{each}"])
        await book.create_rule(body, ADMINISTRATOR, gateways=set(), name=f"rule-{each}")
    assert len(await book.list_rules()) == MANY


async def test_all_sets_are_listed(gateway: InnerGateway):
    sets = await open_sets(gateway.application)
    for each in range(MANY):
        await sets.create(parse_set_body({"slug": f"set-{each}", "name": f"Set {each}"}), ADMINISTRATOR)
    assert len(await sets.list(ADMINISTRATOR)) == MANY


async def test_all_tools_that_wait_for_approval_are_listed(gateway: InnerGateway):
    kept = gateway.application.services.context.collection(PINS)
    for each in range(MANY):
        definition = {"name": f"tool-{each}"}
        await kept.put(Pin("some-gateway", f"tool-{each}", (), Variant(definition, hash_of(definition), NOW)).dump())
    assert len(await (await pins_of(gateway.application)).held()) == MANY


async def test_all_users_of_one_external_id_are_found(gateway: InnerGateway):
    users = UserRecords(gateway.application.services.context)
    for each in range(MANY):
        address = f"user-{each}@example.com"
        user = User(f"id-{each}", address, "shared", "", True, (address,), (address,), NOW, NOW)
        await users.put(user)
    assert len(await users.find_external("shared")) == MANY


async def test_what_any_worker_lost_is_told(gateway: InnerGateway):
    documents = gateway.application.services.context.collection(LOSSES)
    for each in range(MANY):
        await documents.put(Document(f"worker-{each}", {"dropped": 1, "reason": "away", "at": NOW.isoformat()}))
    assert len(await read_losses(documents)) == MANY
