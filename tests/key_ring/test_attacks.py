"""Who can write to the store, and does not know the secret, can stop the gateway: nothing more, and not in silence."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from latchpin.errors import LatchpinError, RecordConflict, Unsealable
from latchpin.model import Document
from latchpin_key_ring import rotating
from latchpin_key_ring.counted import require_nothing_lost
from latchpin_key_ring.errors import KeyRingUnusable
from latchpin_key_ring.keeping import RING, RingKeeper
from latchpin_key_ring.live import TOLERANT
from latchpin_key_ring.ring import Ring, parse_ring
from latchpin_key_ring.settings import KeyRingSettings
from latchpin_key_ring.tending import Tending
from latchpin_testing import SuiteKeyWrapper

from tests.key_ring.conftest import FIRST, NEEDS, SECOND, Open, Process, fill

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.backends("sqlite")]


async def stored(process: Process) -> Document:
    found = await process.context.collection(RING).get("ring")
    assert found is not None
    return found


async def put_signed(process: Process, ring: Ring) -> None:
    """Write a ring as somebody who knows the secret could."""
    keeper = RingKeeper(process.context)
    await keeper.read()
    await keeper.write(ring)


async def refused(opening: Open, **settings: str) -> KeyRingUnusable:
    """Why no process starts."""
    with pytest.raises(KeyRingUnusable) as caught:
        async with opening(**settings):
            pytest.fail("it must not open")
    assert caught.value.remedy
    return caught.value


async def test_a_ring_that_is_gone_is_not_begun_anew(opening: Open):
    async with opening() as one:
        await one.rotate()
        rows = await fill(one)
        key = one.key
        await one.context.collection(RING).delete("ring")
        with pytest.raises(KeyRingUnusable, match="no longer in the record store"):
            await one.look()
        assert one.key == key, "who serves goes on with the keys that it has"
        await rows.require(one)
        for act in (rotating.announce(one.ring, one.context), rotating.wrap_anew(one.ring)):
            with pytest.raises(LatchpinError):
                await act
        why = await refused(opening)
        assert "is no longer in the record store" in why.detail
        assert "--begin-anew" in why.remedy

        await one.services.kept.take("key-ring:begun")  # whoever emptied it took that along
        async with opening() as two:
            await Tending(KeyRingSettings(key_ring_days=1)).turn(two.application)
            assert two.ring.ring is None, "nothing makes a key by itself"
            with pytest.raises(KeyRingUnusable, match=f"10 rows are sealed under keys that are not here: {key}"):
                await require_nothing_lost(two.application)


async def test_a_ring_that_was_changed_is_refused(opening: Open):
    async with opening() as one:
        first = await one.rotate()
        second = await one.rotate()
        held = await stored(one)
        text = held.body["text"]
        whole = json.loads(text)
        collection = one.context.collection(RING)
        fewer = json.dumps(whole | {"keys": whole["keys"][1:]}, separators=(",", ":"), sort_keys=True)
        back = text.replace('"state":"earlier"', '"state":"x"').replace('"state":"current"', '"state":"earlier"')
        back = back.replace('"state":"x"', '"state":"current"')
        for body in (
            {**held.body, "text": fewer},
            {**held.body, "text": back},
            {**held.body, "text": text.replace(first, second)},
            {**held.body, "signature": "00" * 32},
            {**held.body, "signature": 7},
            {"text": text},
            {},
        ):
            held = await collection.put(replace(held, body=body))
            with pytest.raises(KeyRingUnusable, match="without AUTH_ENCRYPTION_SECRET"):
                await one.look()
            assert one.key == second
            await refused(opening)


async def test_an_older_ring_is_not_taken_by_who_knows_a_newer_one(opening: Open):
    async with opening() as one:
        first = await one.rotate()
        earlier = await stored(one)
        second = await one.rotate()
        await one.context.collection(RING).put(replace(await stored(one), body=earlier.body))
        with pytest.raises(KeyRingUnusable, match="older than the one in use"):
            await one.look()
        assert one.key == second != first


async def test_another_gateways_ring_is_not_taken_with_the_same_secret(opening: Open):
    async with opening() as one:
        await one.rotate()
        assert one.ring.ring is not None
        await put_signed(one, replace(one.ring.ring, id="another", version=99))
        with pytest.raises(KeyRingUnusable, match="the one that was begun here is"):
            await one.look()
        assert "was begun here" in (await refused(opening)).detail


async def test_a_wrapped_key_opens_in_its_own_place_only(opening: Open):
    """Even for who could sign the ring: moved to another name, purpose or ring, a key does not open."""
    async with opening() as one:
        await one.rotate()
        await one.rotate()
        ring = one.ring.ring
        assert ring is not None
        first, second = ring.keys
        keeper = RingKeeper(one.context)
        for ring_id, key in (
            (ring.id, replace(second, wrapped=first.wrapped)),
            (ring.id, replace(second, purpose="state signature")),
            ("another", second),
            (ring.id, replace(second, wrapped="damaged")),
        ):
            with pytest.raises(KeyRingUnusable, match="moved from another ring or purpose, or is damaged"):
                await keeper.unwrap(ring_id, key)


async def test_without_the_secret_nothing_starts_until_another_ring_is_begun(opening: Open):
    async with opening() as one:
        await one.rotate()
        rows = await fill(one)
    why = await refused(opening, secret=SECOND)
    assert "AUTH_ENCRYPTION_SECRETS_OLD" in why.remedy
    async with opening(secret=SECOND, old=f'["{FIRST}"]') as one:
        await rows.require(one)
    token = TOLERANT.set(True)
    async with opening(secret=SECOND) as two:
        with pytest.raises(KeyRingUnusable):
            _ = two.key  # nothing is sealed under the secret instead
        assert two.ring.fault is not None
        lost = {key.id: key for key in (await two.report()).keys}[one.key]
        assert lost.state == "unknown"
        assert "AUTH_ENCRYPTION_SECRETS_OLD" not in lost.verdict, "that is the remedy of the fault, where it is one"
    TOLERANT.reset(token)


async def test_a_lost_write_is_no_second_key(opening: Open):
    async with opening() as one, opening() as two:
        await one.rotate(two)
        for each in (one, two):
            await each.ring.keeper.read()
        assert one.ring.ring is not None
        await one.ring.keeper.write(replace(one.ring.ring, version=50))
        assert two.ring.ring is not None
        with pytest.raises(RecordConflict):
            await two.ring.keeper.write(replace(two.ring.ring, version=51))


async def test_a_key_service_wraps_each_key_once_and_may_be_away_afterwards(opening: Open):
    service = Counting()
    async with opening() as one:
        await one.rotate()
        first = one.key
        one.ring.keeper._service, one.ring.keeper._service_name = service, "suite"
        second = await one.rotate()
        assert service.wrapped == 1
        assert await rotating.wrap_anew(one.ring)
        assert service.wrapped == 2, "the first key is wrapped by it now, too"
        service.away = True
        rows = await fill(one)
        await rows.require(one)
        with pytest.raises(Unsealable):
            await rotating.announce(one.ring, one.context)
        assert one.key == second != first
        await Tending(KeyRingSettings(key_ring_days=1)).turn(one.application)
        one.clock.advance(days=2)
        await Tending(KeyRingSettings(key_ring_days=1)).turn(one.application)
        assert one.key == second, "no new key could be made, and everything goes on"
        await rows.require(one)
        service.away = False
        await Tending(KeyRingSettings(key_ring_days=1)).turn(one.application)
        await Tending(KeyRingSettings(key_ring_days=1)).turn(one.application)
        assert one.key not in {first, second}
    why = await refused(opening)
    assert why.remedy.startswith("Set KEY_WRAPPER=suite.")
    assert "KEY_WRAPPERS_OLD" in why.remedy


class Counting(SuiteKeyWrapper):
    """Counts what it wraps, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.wrapped, self.away = 0, False

    async def wrap(self, key, *, context):
        if self.away:
            raise Unsealable("the service is away")
        self.wrapped += 1
        return await super().wrap(key, context=context)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"id":"a","version":1,"keys":[{}],"retired":{}}',
        '{"id":"a","version":1,"keys":[],"retired":[]}',
        '{"id":"a","version":1,"keys":[],"retired":{"x":"2026-11-30T00:00:00"}}',
        '{"id":"a","version":1,"retired":{},"keys":[{"id":"a","state":"x"}]}',
    ],
)
def test_what_is_no_ring_is_refused(text):
    with pytest.raises(ValueError):
        parse_ring(text)
