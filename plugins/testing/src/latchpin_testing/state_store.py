"""The suite that every state store passes, unchanged.

    class TestMine(StateStoreContract):
        @pytest.fixture
        def offer(self):
            return my_plugin.latchpin_state_store()

        @pytest.fixture
        def settings(self, tmp_path):
            return MySettings(my_directory=tmp_path)

        async def stored_bytes(self, store, settings):
            return b"".join(path.read_bytes() for path in settings.my_directory.iterdir())

A backend that says ``shared=True`` passes ``SharedStateStoreContract`` instead, which adds other processes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.contracts import StateStore
from latchpin.errors import StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import StateKey

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import Advance, AnySettings
from latchpin_testing.rules import found, gives, holds, refused, same
from latchpin_testing.sealing import SuiteCipher
from latchpin_testing.state_races import StateRaces

__all__ = ["StateStoreContract"]

TTL = timedelta(seconds=300)
MOMENT = timedelta(seconds=1)
GRACE = timedelta(seconds=60)


@pytest.mark.asyncio
class StateStoreContract(StateRaces):
    """One caller's rules; the rules about many at once come with ``StateRaces``."""

    # -- put, then consume ----------------------------------------------------------------------------

    async def test_consume_gives_exactly_what_was_put(self, store: StateStore, clock: MovedClock) -> None:
        """Every field survives the round trip, with its type and to the microsecond."""
        pending = samples.pending_authorization(clock())
        await store.put(pending)
        await gives(store.consume(pending.key), pending, "consume gives exactly what was put")

    async def test_absent_fields_stay_absent(self, store: StateStore, clock: MovedClock) -> None:
        """None stays None and empty stays empty; they are not the same."""
        pending = samples.pending_authorization(
            clock(), issuer=None, resource=None, scopes=(), iss_expected=False, client_id=""
        )
        await store.put(pending)
        await gives(store.consume(pending.key), pending, "None stays None, and empty stays empty")

    async def test_text_is_kept_as_it_is(self, store: StateStore, clock: MovedClock) -> None:
        """Quotes, percent signs, backslashes and other scripts are data like any other."""
        odd = "o'Brien\"\\%_{}\u00fc\u65e5\U0001f600\n@example.com"
        pending = samples.pending_authorization(
            clock(), app_user_email=odd, client_id=odd, scopes=(odd, "used"), issuer=f"https://as.example.com/{odd}"
        )
        await store.put(pending)
        await gives(store.consume(pending.key), pending, "text is kept as it is")

    @pytest.mark.parametrize("state", ["-._~", "a" * 1000, "0", "1e3.null", "%27*?[a]{b}", "==.=="])
    async def test_odd_but_legal_states(self, store: StateStore, clock: MovedClock, state: str) -> None:
        """Any URL-safe text up to 1,000 characters can be a state."""
        pending = samples.pending_authorization(clock(), key=StateKey(samples.new_id(), state))
        await store.put(pending)
        await gives(store.consume(pending.key), pending, "any URL-safe text up to 1,000 characters can be a state")

    async def test_similar_states_are_different(self, store: StateStore, clock: MovedClock) -> None:
        """States differ by case, and by characters that are wildcards elsewhere."""
        gateway_id = samples.new_id()
        states = ["Abc.De", "aBC.De", "abc.de", "abc.d_", "abc.d%", "abc.d*", "abc.d?", "abc.d", "abc.d-"]
        kept = [samples.pending_authorization(clock(), key=StateKey(gateway_id, state)) for state in states]
        for pending in kept:
            await gives(store.put(pending), None, f"similar states are different ({pending.key.state})")
        for pending in kept:
            await gives(store.consume(pending.key), pending, f"similar states are different ({pending.key.state})")

    # -- the three refusals ---------------------------------------------------------------------------

    async def test_unknown_state(self, store: StateStore, clock: MovedClock) -> None:
        """A state that nobody put is StateNotFound, and asking for it leaves nothing behind."""
        pending = samples.pending_authorization(clock())
        for _ in range(2):
            await refused(store.consume(pending.key), StateNotFound, "an unknown state is StateNotFound")
        await store.put(pending)
        await gives(store.consume(pending.key), pending, "a refused consume leaves nothing behind")

    async def test_single_use(self, store: StateStore, clock: MovedClock, advance: Advance) -> None:
        """Every consume after the first is StateAlreadyUsed and says when the first one was."""
        pending = samples.pending_authorization(clock())
        await store.put(pending)
        await advance(MOMENT)
        used_at = clock()
        await store.consume(pending.key)
        for _ in range(2):
            await advance(MOMENT)
            error = await refused(store.consume(pending.key), StateAlreadyUsed, "a state can be used once")
            late = abs(error.used_at - used_at)
            holds(
                late < timedelta(milliseconds=1),
                "StateAlreadyUsed.used_at is the injected clock's time of the first consume, aware and in UTC",
                f"{error.used_at!r} instead of {used_at!r}",
            )

    async def test_expired_exactly_at_its_end(self, store: StateStore, clock: MovedClock, advance: Advance) -> None:
        """``expires_at`` itself is too late, and it stays expired: a late consume does not use it up."""
        pending = samples.pending_authorization(clock(), ttl=TTL)
        await store.put(pending)
        await advance(TTL)
        for _ in range(2):
            rule = "a state whose expires_at is not in the future is StateExpired, judged by the injected clock"
            error = await refused(store.consume(pending.key), StateExpired, rule)
            same(error.expired_at, pending.expires_at, "StateExpired.expired_at is the state's expires_at")

    async def test_good_until_just_before_its_end(self, store: StateStore, clock: MovedClock, advance: Advance) -> None:
        """A second before ``expires_at`` the state is as good as new."""
        pending = samples.pending_authorization(clock(), ttl=TTL)
        await store.put(pending)
        await advance(TTL - MOMENT)
        await gives(store.consume(pending.key), pending, "a state is good until its expires_at")

    async def test_used_is_never_called_expired(self, store: StateStore, clock: MovedClock, advance: Advance) -> None:
        """The tombstone stands until ``expires_at``; later it may be gone, but never turns into StateExpired."""
        pending = samples.pending_authorization(clock(), ttl=TTL)
        await store.put(pending)
        await store.consume(pending.key)
        await advance(TTL - MOMENT)
        await refused(store.consume(pending.key), StateAlreadyUsed, "the tombstone stands until expires_at")
        await advance(MOMENT)
        rule = "StateExpired means that nobody consumed it before"
        await refused(store.consume(pending.key), (StateAlreadyUsed, StateNotFound), rule)

    async def test_a_state_of_another_gateway(self, store: StateStore, clock: MovedClock) -> None:
        """Asked for under another gateway, a state is unknown or found with its own gateway, and nothing else."""
        pending = samples.pending_authorization(clock())
        await store.put(pending)
        foreign = StateKey(samples.new_id(), pending.key.state)
        try:
            seen: object = await store.consume(foreign)
        except StateNotFound:
            seen = await store.consume(pending.key)
        same(seen, pending, "under another gateway's id a state is unknown, or found with its own gateway_id")

    # -- conflicts ------------------------------------------------------------------------------------

    async def test_a_second_put_is_a_conflict(self, store: StateStore, clock: MovedClock) -> None:
        """The first put stands; neither before nor after its use can the same state be put again."""
        first = samples.pending_authorization(clock())
        second = replace(samples.pending_authorization(clock()), key=first.key)
        await store.put(first)
        await refused(store.put(second), StateConflict, "a state that exists cannot be put again")
        await gives(store.consume(first.key), first, "a refused put changes nothing")
        await refused(store.put(second), StateConflict, "a state that was used cannot be put again")
        await refused(store.consume(first.key), StateAlreadyUsed, "a refused put does not revive a used state")

    # -- purge ----------------------------------------------------------------------------------------

    async def test_purge_removes_what_is_over_and_nothing_else(
        self, store: StateStore, settings: AnySettings, clock: MovedClock, advance: Advance
    ) -> None:
        """A minute after their end, expired and used states are gone; live ones stay, used or not."""
        over = [samples.pending_authorization(clock(), ttl=TTL) for _ in range(3)]
        live = [samples.pending_authorization(clock(), ttl=TTL * 2) for _ in range(3)]
        for pending in over + live:
            await store.put(pending)
        await store.consume(over[0].key)
        await store.consume(live[0].key)
        await advance(TTL + GRACE + MOMENT)
        removed = await store.purge()
        holds(0 <= removed <= len(over), "purge returns how many it removed", found(removed))
        held = await self.stored_bytes(store, settings)
        for pending in over:
            await refused(store.consume(pending.key), StateNotFound, "a minute after its end a state is gone")
            holds(pending.key.state.encode() not in held, "purge leaves no trace of a state that is over")
        await refused(store.consume(live[0].key), StateAlreadyUsed, "purge keeps the tombstones of unexpired states")
        for pending in live[1:]:
            await gives(store.consume(pending.key), pending, "purge keeps what has not expired")
        await gives(store.purge(), 0, "a second purge finds nothing")

    async def test_purge_of_everything(self, store: StateStore, clock: MovedClock) -> None:
        """With ``everything`` all states go, live and used; the count says how many; the store works on."""
        kept = [samples.pending_authorization(clock()) for _ in range(5)]
        for pending in kept:
            await store.put(pending)
        await store.consume(kept[0].key)
        await gives(store.purge(everything=True), len(kept), "purge(everything=True) returns how many it removed")
        for pending in kept:
            await refused(store.consume(pending.key), StateNotFound, "purge(everything=True) removes all states")
        await gives(store.purge(everything=True), 0, "an empty store has nothing to purge")
        await store.put(kept[0])
        await gives(store.consume(kept[0].key), kept[0], "after a purge the store works on")

    # -- secrets, health ------------------------------------------------------------------------------

    async def test_no_secret_in_the_stored_bytes(
        self, store: StateStore, settings: AnySettings, clock: MovedClock, cipher: SuiteCipher
    ) -> None:
        """The store holds the verifier sealed while it is needed, and not at all after it was used."""
        verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        pending = samples.pending_authorization(clock())
        place = [pending.key.gateway_id, pending.app_user_email, "code_verifier"]
        pending = replace(pending, code_verifier=cipher.seal(verifier, associated_data=place))
        await store.put(pending)
        before = await self.stored_bytes(store, settings)
        holds(
            pending.code_verifier.encode() in before,
            "stored_bytes() shows every byte held, so before its use the sealed verifier is among them",
            f"{len(before)} bytes without it",
        )
        holds(verifier.encode() not in before, "no secret is stored in the clear")
        taken = await store.consume(pending.key)
        same(
            cipher.unseal(taken.code_verifier, associated_data=place), verifier, "the sealed verifier comes back intact"
        )
        after = await self.stored_bytes(store, settings)
        holds(pending.code_verifier.encode() not in after, "the tombstone keeps no verifier, not even sealed")

    async def test_check_passes_and_leaves_nothing(self, store: StateStore, clock: MovedClock) -> None:
        """A store that works says so, and asking does not show in it."""
        pending = samples.pending_authorization(clock())
        await store.put(pending)
        for _ in range(2):
            await store.check()
        await gives(store.purge(everything=True), 1, "check() leaves nothing behind and removes nothing")
