"""Rotations with several processes over one store: a key is today's once all know it, and goes at the end only."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin.errors import RecordConflict, Unsealable
from latchpin.gateways.registry import parse_gateway_body
from latchpin.oauth.state import parse_state
from latchpin.tokens.sealing import open_token
from latchpin_audit.log import AuditLog
from latchpin_audit.reading import verify
from latchpin_key_ring import live, rotating
from latchpin_key_ring.counted import keep_proofs, take_out
from latchpin_key_ring.errors import KeyInUse
from latchpin_key_ring.reporting import SETTLES
from latchpin_key_ring.resealing import reseal_rows

from tests.key_ring.conftest import (
    ADMINISTRATOR,
    FIRST,
    ISSUER,
    NEEDS,
    SECOND,
    Open,
    Process,
    add_gateway,
    fill,
    token_for,
)
from tests.support.gateway_in_process import MovedClock

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.backends("sqlite", "postgres", "redis")]


async def silent(_outcome: object) -> None:
    """Nobody looks."""


async def broken(process: Process) -> str | None:
    """What is wrong with the audit log."""
    log = AuditLog.of(process.context)
    verdict = await verify(log.records, log.signer)
    assert verdict.entries
    return verdict.broken


async def retire(process: Process, key_id: str) -> None:
    key = (await process.report()).find(key_id)
    assert key is not None
    assert key.can_go, key.verdict
    await take_out(process.application, process.ring, key)


async def test_nothing_is_sealed_under_a_key_that_somebody_does_not_know(opening: Open):
    async with opening() as one, opening() as two:
        before = one.key
        gateway_id = await add_gateway(one)
        announced = await rotating.announce(one.ring, one.context)
        assert not await rotating.promote(one.ring, one.context), "the other has not looked yet"
        assert (one.key, two.key) == (before, before)

        await two.look()
        assert two.key == before, "it is announced, and not today's"
        assert await rotating.promote(one.ring, one.context)
        assert (one.key, two.key) == (announced.id, before)
        for writer, reader in ((one, two), (two, one)):
            token = token_for(writer, gateway_id, "alice@example.com", writer.key)
            await writer.services.records.tokens.put(token, replacing=None)
            read = await reader.services.records.tokens.get(gateway_id, "alice@example.com", writer.key)
            assert read is not None
            assert open_token(reader.services.cipher, read).refresh_token == f"refresh {writer.key}"
        await two.look()
        assert two.key == announced.id


async def test_a_state_names_the_key_that_signed_it_whenever_todays_changes(
    opening: Open, environment: pytest.MonkeyPatch
):
    async with opening() as one:
        config = {
            "issuer": ISSUER,
            "authorization_url": f"{ISSUER}/authorize",
            "token_url": f"{ISSUER}/token",
            "client_id": "client",
        }
        body = parse_gateway_body({"url": "https://mcp.example.com/mcp", "oauth_config": config})
        gateway = await one.application.gateways.create(body, ADMINISTRATOR)
        pending, before = one.application.pending_authorizations, one.services.signer.key_id
        store_name = pending.store_name

        async def rotating_meanwhile() -> str:
            await one.rotate()
            return await store_name()

        async def client_id(*_: object) -> str:
            return "client"

        environment.setattr(one.application.clients, "client_id_for", client_id)
        environment.setattr(pending, "store_name", rotating_meanwhile)
        begin = one.application.start_authorization.begin
        url = await begin(gateway.id, ADMINISTRATOR, browser="b", flow_id="0" * 32)
        (state,) = parse_qs(urlsplit(url).query)["state"]
        assert parse_state(state, one.services.signer).key_id == one.services.signer.key_id != before


async def test_one_that_starts_or_ends_meanwhile_is_waited_for_as_long_as_it_is_there(opening: Open):
    async with opening() as one:
        await rotating.announce(one.ring, one.context)
        async with opening() as two:
            assert two.ring.ring is not None
            assert two.ring.ring.announced is not None
        assert await rotating.promote(one.ring, one.context), "the other has ended"
        async with opening() as three:
            assert three.key == one.key
            three.ring._said = None
        one.clock.advance(seconds=live.LIFE.total_seconds() + 1)
        assert [each.id for each in await one.ring.holders()] == []


async def test_each_process_looks_by_itself(opening: Open, environment: pytest.MonkeyPatch):
    async with opening() as one:
        environment.setattr(live, "LOOKS", 0.01)
        async with opening() as two:
            key = await rotating.announce(one.ring, one.context)
            async with asyncio.timeout(60):
                while not await rotating.promote(one.ring, one.context) or two.key != key.id:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


async def test_a_name_that_is_not_known_lets_the_ring_be_looked_at(opening: Open, environment: pytest.MonkeyPatch):
    environment.setattr(live, "SOONER", 0.0)
    async with opening() as one, opening() as two:
        key = await rotating.announce(one.ring, one.context)
        async with asyncio.timeout(60):
            while not await rotating.promote(one.ring, one.context):
                with pytest.raises(Unsealable):
                    two.services.signer.verify(b"", b"", key_id="invented")
                await asyncio.sleep(0)
        assert two.ring.ring is not None
        assert two.ring.ring.find(key.id) is not None


async def test_of_two_who_rotate_at_once_one_key_comes_of_it(opening: Open):
    async with opening() as one, opening() as two:
        made = await asyncio.gather(
            *(rotating.announce(each.ring, each.context) for each in (one, two)), return_exceptions=True
        )
        keys = [each for each in made if not isinstance(each, BaseException)]
        assert {type(each) for each in made if isinstance(each, BaseException)} <= {RecordConflict}
        for each in (one, two):
            await each.look()
        assert len({key.id for key in keys}) == 1
        assert await rotating.promote(two.ring, two.context)
        assert two.key == keys[0].id


async def test_a_ring_that_is_begun_while_another_process_looks_for_it_is_seen(opening: Open):
    async with opening() as one, opening() as two:
        kept, made = two.context.kept, []

        class Between:
            """The other one begins the ring after this one has seen none."""

            async def get(self, name: str) -> str | None:
                if not made:
                    made.append(await rotating.announce(one.ring, one.context))
                return await kept.get(name)

            put = kept.put

        two.ring.keeper._kept = Between()
        assert (await rotating.announce(two.ring, two.context)).id == made[0].id


async def test_everything_is_sealed_anew_and_the_old_key_goes(opening: Open):
    async with opening() as one, opening() as two:
        first = await one.rotate(two)
        rows = await fill(one)
        assert set((await one.count()).sealed) == {first}
        second = await one.rotate(two)
        outcome = await reseal_rows(one.application, tell=silent)
        assert (outcome.busy, outcome.closed, outcome.left) == (0, {}, {})
        counts = await two.count()
        assert set(counts.sealed) == {second}
        assert counts.under(second) == {
            "gateways' secrets": 1,
            "users' tokens": 2,
            "registered clients": 1,
            "random keys that workers share": 1,
            "documents of authorization_grants": 1,
            "people's keys in the audit log": 2,
            "people's names in the audit log": 2,
        }
        await rows.require(two)

        early = (await one.report()).find(first)
        assert early is not None
        assert not early.can_go, "an authorization that is under way may need it"
        one.clock.advance(seconds=(one.context.state_ttl + SETTLES).total_seconds() + 1)
        await retire(one, first)
        await two.look()
        assert two.services.cipher.key_id == second
        await rows.require(two)
        with pytest.raises(Unsealable):
            two.services.signer.verify(b"", b"", key_id=first)
    async with opening() as three:
        await rows.require(three)
        assert three.ring.ring is not None
        assert list(three.ring.ring.retired) == [first]
        assert await broken(three) is None, "what it signed is still proved"


async def test_a_key_stays_while_a_row_stands_under_it(opening: Open):
    async with opening() as one:
        first = await one.rotate()
        rows = await fill(one)
        await one.rotate()
        one.clock.advance(days=1)
        key = (await one.report()).find(first)
        assert key is not None
        assert not key.can_go
        assert "10 rows are sealed under it" in key.verdict
        with pytest.raises(KeyInUse):
            await take_out(one.application, one.ring, key)
        await rows.require(one)


async def test_the_secret_below_the_ring_changes(opening: Open):
    old = f'["{FIRST}"]'
    async with opening() as one:
        rows = await fill(one)  # under the secret itself
        await one.rotate()
        await reseal_rows(one.application, tell=silent)
    async with opening(secret=SECOND, old=old) as two:
        earlier = (await two.report()).keys[-1]
        assert (earlier.where, earlier.can_go) == ("AUTH_ENCRYPTION_SECRETS_OLD, word 1", False)
        assert "wraps it anew" in earlier.verdict
        assert await rotating.wrap_anew(two.ring)
        assert not await rotating.wrap_anew(two.ring)
        earlier = (await two.report()).keys[-1]
        assert (earlier.can_go, earlier.signed) == (False, {"entries of the audit log": 1})
        await keep_proofs(two.application, two.ring)
        assert (await two.report()).keys[-1].can_go
    async with opening(secret=SECOND) as three:
        await rows.require(three)
        assert await broken(three) is None
        assert three.ring.ring is not None
        assert {key.purpose for key in three.ring.ring.keys} == {"", "state signature"}


async def test_a_rotation_has_its_time_before_anything_is_said_of_it(opening: Open, clock: MovedClock):
    """The secret that the first key follows has it too; what a later rotation finds under the secret is left over."""
    clock.stop()
    async with opening() as one:
        await fill(one)
        secret, settled = one.key, one.context.state_ttl + SETTLES
        first = await one.rotate()
        assert await settling(one) == {secret}
        clock.advance(seconds=settled.total_seconds() - 1)
        assert await settling(one) == {secret}
        clock.advance(seconds=1)
        assert await settling(one) == set()
        await one.rotate()
        assert await settling(one) == {first}
        clock.advance(seconds=settled.total_seconds())
        assert await settling(one) == set()


async def settling(process: Process) -> set[str]:
    return {key.id for key in (await process.report()).keys if key.settling}
