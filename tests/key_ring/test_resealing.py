"""Sealing anew beside those who write: nothing of theirs is lost, and what was killed is gone on with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.clients.secrets import open_registered_secret
from latchpin.contracts import KeyedRow, ReplacingClients
from latchpin.errors import Conflict, RecordConflict
from latchpin.model import Document, Sealed
from latchpin.settings.core import CoreSettings
from latchpin.tokens.renewal import lease_of
from latchpin.tokens.shared_renewals import LEASE_MARGIN
from latchpin_key_ring import resealing
from latchpin_key_ring.counting import count_rows, uses_of
from latchpin_key_ring.resealing import Outcome, progress_of, reseal_rows

from tests.key_ring.conftest import FIRST, NEEDS, SECOND, Open, Process, fill, token_for
from tests.key_ring.test_rotating import silent

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.backends("sqlite", "postgres", "redis")]

OLD = f'["{FIRST}"]'


async def rows_of(process: Process, table: str) -> list[KeyedRow]:
    (use,) = (each for each in uses_of(process.services) if each.name == table)
    return [row async for row in use.rows(process.context)]


async def none_waits(_seconds: float) -> None:
    """No time passes."""


async def test_every_row_that_somebody_writes_meanwhile_stays_theirs(opening: Open):
    """Each kind is read for sealing anew, changed by somebody else, and only then written."""
    async with opening(source="settings") as one:
        rows = await fill(one)
    async with opening(secret=SECOND, old=OLD, source="settings") as one:
        services, records = one.services, one.services.records
        read = [
            (use.name, row)
            for use in uses_of(services)
            if use.purpose == "sealing"
            async for row in use.rows(one.context)
        ]
        gateway = await records.gateways.get(rows.gateway_id)
        assert gateway is not None
        await records.gateways.replace(replace(gateway, name="renamed", revision=gateway.revision + 1))
        for label in ("", "work"):
            stored = await records.tokens.get(rows.gateway_id, "alice@example.com", label)
            assert stored is not None
            fresh = replace(token_for(one, rows.gateway_id, "alice@example.com", label), id=stored.id, revision=2)
            await records.tokens.put(fresh, replacing=stored)
        (client,) = await records.clients.list()
        await records.clients.delete(client.id)
        for use, row in read:
            if use in {"gateways' secrets", "users' tokens", "registered clients"}:
                assert row.reseal is not None
                with pytest.raises(RecordConflict):
                    await row.reseal()
        assert await records.clients.list() == []
        after = await records.gateways.get(rows.gateway_id)
        assert after is not None
        assert after.name == "renamed"
        outcome = await reseal_rows(one.application, tell=silent)
        assert not outcome.busy
        assert set((await one.count()).sealed) == {one.key}


async def test_a_kept_value_that_was_taken_or_put_anew_is_not_written_over(opening: Open):
    async with opening(source="settings") as one:
        await fill(one)
    async with opening(secret=SECOND, old=OLD, source="settings") as one:
        for table in ("random keys that workers share", "people's names in the audit log"):
            row = (await rows_of(one, table))[0]
            assert row.reseal is not None
            name = min(await one.services.kept.list("key:" if "random" in table else "audit-name:"))
            held = await one.services.kept.take(name)
            with pytest.raises(RecordConflict):
                await row.reseal()
            assert await one.services.kept.get(name) is None, "what was taken does not come back"
            assert held is not None
            await one.services.kept.put(name, held)
            with pytest.raises(RecordConflict):
                await row.reseal()
            assert await one.services.kept.get(name) == held


async def test_a_token_that_is_being_renewed_is_left_until_that_has_ended(opening: Open):
    async with opening(source="settings") as one:
        rows = await fill(one)
    async with opening(secret=SECOND, old=OLD, source="settings") as one:
        place = lease_of(rows.gateway_id, "alice@example.com", "work")
        held = one.services.leases.hold("refresh", place, life=timedelta(minutes=1))
        await held.__aenter__()
        turns = 0

        async def pause(_seconds: float) -> None:
            nonlocal turns
            turns += 1
            counts = await one.count()
            assert sum(count for key, table in counts.sealed.items() if key != one.key for count in table.values()) == 1
            await held.__aexit__(None, None, None)

        outcome = await reseal_rows(one.application, tell=silent, pause=pause)
        assert (turns, outcome.busy) == (1, 0)
        await rows.require(one)


async def test_a_row_that_one_who_was_killed_held_is_sealed_anew_once_its_lease_has_ended(opening: Open):
    async with opening(source="settings") as one:
        rows = await fill(one)
    async with opening(secret=SECOND, old=OLD, source="settings") as one:
        place = lease_of(rows.gateway_id, "alice@example.com", "work")
        life = timedelta(seconds=CoreSettings.model_fields["oauth_request_timeout"].default) + LEASE_MARGIN
        killed = one.services.leases.hold("refresh", place, life=life)
        await killed.__aenter__()

        async def pause(seconds: float) -> None:
            one.clock.advance(seconds=seconds)

        outcome = await reseal_rows(one.application, tell=silent, pause=pause)
        assert outcome.busy == 0
        assert (await one.count()).besides(one.key) == 0
        await rows.require(one)
        await killed.__aexit__(None, None, None)


async def test_what_was_killed_is_gone_on_with(opening: Open, environment: pytest.MonkeyPatch):
    environment.setattr(resealing, "AT_ONCE", 1)
    async with opening(source="settings") as one:
        rows = await fill(one)
        everything = (await one.count()).besides("")
    async with (
        opening(secret=SECOND, old=OLD, source="settings") as one,
        opening(secret=SECOND, old=OLD, source="settings") as two,
    ):

        async def killed(outcome: Outcome) -> None:
            if outcome.done == 3:
                assert await progress_of(two.context) is not None
                with pytest.raises(Conflict):
                    await reseal_rows(two.application, tell=silent)
                environment.setattr(one.services.records, "collection", None)  # it can give nothing back any more
                raise asyncio.CancelledError

        with pytest.raises((asyncio.CancelledError, TypeError)):
            await reseal_rows(one.application, tell=killed)
        assert (await two.count()).besides(two.key) == everything - 3
        two.clock.advance(seconds=60)
        assert await progress_of(two.context) is None
        outcome = await reseal_rows(two.application, tell=silent)
        assert outcome.done == everything - 3
        assert (await two.count()).besides(two.key) == 0
    async with opening(secret=SECOND, source="settings") as one:
        await rows.require(one)


async def test_what_no_key_opens_is_said_and_left_alone(opening: Open):
    async with opening(source="settings") as one:
        rows = await fill(one)
    async with opening(secret=SECOND, source="settings") as one:
        outcome = await reseal_rows(one.application, tell=silent, pause=none_waits)
        assert outcome.done == 0
        assert outcome.closed["users' tokens"] == 2
        (lost,) = [key for key in (await one.report()).keys if key.state == "unknown"]
        assert "10 rows open with no key" in lost.verdict
    async with opening(source="settings") as one:
        await rows.require(one)


async def test_a_client_is_written_only_over_what_was_read(opening: Open):
    """The one table whose rows are otherwise never changed."""
    async with opening(source="settings") as one:
        await fill(one)
        clients = one.services.records.clients
        assert isinstance(clients, ReplacingClients)
        (client,) = await clients.list()
        other = replace(client, client_secret=Sealed("v1.other.x"))
        with pytest.raises(RecordConflict):
            await clients.replace(other, replacing=replace(client, registration_access_token=None))
        await clients.replace(other, replacing=client)
        assert await clients.list() == [other]
        with pytest.raises(RecordConflict):
            await clients.replace(client, replacing=client)
        await clients.replace(client, replacing=other)
        assert open_registered_secret((await clients.list())[0], one.services.cipher) == "registered"
        await clients.delete(client.id)
        with pytest.raises(RecordConflict):
            await clients.replace(other, replacing=client)
        assert await clients.list() == []


@pytest.mark.needs("latchpin_offboarding")
async def test_tokens_still_to_be_revoked_keep_their_key_where_nothing_that_is_installed_names_them(opening: Open):
    from latchpin_offboarding.records import KEY_USE, OWED_TOKENS

    async with opening(source="settings") as one:
        first = one.key
        await one.context.collection(OWED_TOKENS).put(Document("owed", {"token": "the token"}))
    async with opening(secret=SECOND, old=OLD, source="settings") as one:
        left = [use for use in one.services.key_uses if use.name != KEY_USE.name]
        without = replace(one.services, key_uses=left)
        counts = await count_rows(one.context, uses_of(without))
        assert counts.under(first)[KEY_USE.name] == 1
