"""The rules of a record store's tokens: compare and swap above all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.contracts import PagedTokens, RecordStore
from latchpin.errors import RecordConflict
from latchpin.model import CLIENT_ITSELF, Gateway, StoredToken

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.rules import found, gives, holds, outcomes, refused, same

__all__ = ["TokenRules", "next_revision"]


def next_revision(token: StoredToken, **changes: object) -> StoredToken:
    """The token as its holder would write it next."""
    return replace(token, revision=token.revision + 1, **changes)  # type: ignore[arg-type]


async def _gateway(store: RecordStore, clock: MovedClock) -> Gateway:
    gateway = samples.gateway(clock())
    await store.gateways.put(gateway)
    return gateway


async def _token(store: RecordStore, clock: MovedClock) -> StoredToken:
    gateway = await _gateway(store, clock)
    token = samples.stored_token(clock(), gateway_id=gateway.id)
    await store.tokens.put(token, replacing=None)
    return token


@pytest.mark.asyncio
class TokenRules(OpenedBackend):
    """At most one token for each gateway, user and label, written by compare and swap."""

    async def test_token_round_trip(self, store: RecordStore, clock: MovedClock) -> None:
        """Every field survives, the filled-in ones and the absent ones."""
        gateway = await _gateway(store, clock)
        full = samples.stored_token(
            clock(), gateway_id=gateway.id, needs_reauth=True, refresh_begun_at=clock() + timedelta(seconds=1)
        )
        bare = samples.stored_token(
            clock(),
            gateway_id=gateway.id,
            app_user_email=CLIENT_ITSELF,
            issuer=None,
            resource=None,
            refresh_token=None,
            scopes=(),
        )
        for token in (full, bare):
            await store.tokens.put(token, replacing=None)
            await gives(store.tokens.get(gateway.id, token.app_user_email), token, "get gives exactly what was put")

    async def test_absent_token_is_none(self, store: RecordStore, clock: MovedClock) -> None:
        """Another user's token, or another gateway's, is not mine."""
        token = await _token(store, clock)
        await gives(store.tokens.get(token.gateway_id, "bob@example.com"), None, "tokens are kept by user")
        await gives(store.tokens.get(samples.new_id(), token.app_user_email), None, "tokens are kept by gateway")

    async def test_token_lists(self, store: RecordStore, clock: MovedClock) -> None:
        """Every given filter must match; oldest first."""
        gateways = [await _gateway(store, clock) for _ in range(2)]
        made: dict[str, StoredToken] = {}
        for age, (index, user) in enumerate([(1, "bob"), (0, "ada"), (1, "ada"), (0, "bob")]):
            token = samples.stored_token(
                clock() - timedelta(minutes=age), gateway_id=gateways[index].id, app_user_email=f"{user}@example.com"
            )
            await store.tokens.put(token, replacing=None)
            made[f"{user}{index}"] = token
        ada, first = "ada@example.com", gateways[0].id
        order = [made["bob0"], made["ada1"], made["ada0"], made["bob1"]]
        await gives(store.tokens.list(), order, "tokens are listed oldest first")
        seen = await store.tokens.list(gateway_id=first)
        same(seen, [made["bob0"], made["ada0"]], "tokens are listed by gateway, oldest first")
        seen = await store.tokens.list(app_user_email=ada)
        same(seen, [made["ada1"], made["ada0"]], "tokens are listed by user, oldest first")
        seen = await store.tokens.list(gateway_id=first, app_user_email=ada)
        same(seen, [made["ada0"]], "every given filter must match")

    async def test_token_deletion(self, store: RecordStore, clock: MovedClock) -> None:
        """One user's, or every user's; the answers say what was there."""
        token = await _token(store, clock)
        for email in ("bob@example.com", "eve@example.com"):
            other = samples.stored_token(clock(), gateway_id=token.gateway_id, app_user_email=email)
            await store.tokens.put(other, replacing=None)
        await gives(store.tokens.delete(token.gateway_id, token.app_user_email), True, "deleting a token says True")
        await gives(store.tokens.delete(token.gateway_id, token.app_user_email), False, "deleting nothing says False")
        await gives(store.tokens.get(token.gateway_id, token.app_user_email), None, "a deleted token is gone")
        await gives(store.tokens.delete_all(token.gateway_id), 2, "delete_all says how many there were")
        await gives(store.tokens.delete_all(token.gateway_id), 0, "delete_all of nothing says 0")
        await gives(store.tokens.list(gateway_id=token.gateway_id), [], "delete_all removes every user's token")

    async def test_tokens_are_kept_by_label(self, store: RecordStore, clock: MovedClock) -> None:
        """Two accounts of one person, each with its own token: neither is found, written or deleted for the other."""
        first = await _token(store, clock)
        token = next_revision(first)
        await store.tokens.put(token, replacing=first)
        labels = ["work", "Work", "at home: \u65e5\u672c\u8a9e/50%"]
        made = {
            label: samples.stored_token(clock() + timedelta(minutes=age), gateway_id=token.gateway_id, label=label)
            for age, label in enumerate(labels, 1)
        }
        of = (token.gateway_id, token.app_user_email)
        for label, other in made.items():
            await gives(store.tokens.get(*of, label), None, "a token of another label is not found")
            await store.tokens.put(other, replacing=None)
            await gives(store.tokens.get(*of, label), other, "a token is found by its label")
        await gives(store.tokens.get(*of), token, "without a label, the token without one is meant")
        everything = [token, *made.values()]
        await gives(store.tokens.list(app_user_email=of[1]), everything, "a person's tokens are listed with all labels")
        await gives(store.tokens.list(gateway_id=of[0]), everything, "a gateway's tokens are listed with all labels")
        await gives(store.tokens.list(label="work"), [made["work"]], "tokens are listed by label")
        await gives(store.tokens.list(app_user_email=of[1], label=""), [token], "an empty label is a filter too")
        swapped = next_revision(made["work"], needs_reauth=True)
        rule = "a swap compares the token of its own label"
        await refused(store.tokens.put(swapped, replacing=token), RecordConflict, rule)
        await store.tokens.put(swapped, replacing=made["work"])
        due = {each.id for each in await store.tokens.list_due(clock() + timedelta(days=1), limit=9)}
        same(due, {each.id for each in everything}, "what is due is found whatever its label")
        await gives(store.tokens.delete(*of, "work"), True, "deleting by label says True")
        await gives(store.tokens.delete(*of, "work"), False, "deleting by label removed it")
        rest = [token, made["Work"], made[labels[2]]]
        await gives(store.tokens.list(app_user_email=of[1]), rest, "deleting one label leaves the others")
        await gives(store.tokens.delete_all(of[0]), 3, "delete_all removes every label")
        same(sum((await store.tokens.count(clock())).values()), 0, "delete_all leaves nothing to count")
        await store.tokens.put(made["work"], replacing=None)
        await store.gateways.delete(of[0])
        await gives(store.tokens.get(*of, "work"), None, "a deleted gateway takes every label along")
        await gives(store.tokens.list_due(clock() + timedelta(days=1), limit=9), [], "and leaves nothing due")

    async def test_which_account_serves_where_none_is_named(self, store: RecordStore, clock: MovedClock) -> None:
        """The one chosen last; before there is one, that without a label; before there is one, the oldest."""
        gateway, other = await _gateway(store, clock), await _gateway(store, clock)
        similar = samples.stored_token(clock(), gateway_id=gateway.id, app_user_email="ada@example.com.au")
        await store.tokens.put(similar, replacing=None)
        elsewhere = samples.stored_token(clock(), gateway_id=other.id, label="work", chosen_at=clock())
        await store.tokens.put(elsewhere, replacing=None)
        of = (gateway.id, elsewhere.app_user_email)
        await gives(store.tokens.get(*of, None), None, "another person's and another gateway's token do not serve")
        made: dict[str, StoredToken] = {}
        for age, label in enumerate(["work", "home", ""]):
            at = clock() + timedelta(minutes=age)
            made[label] = samples.stored_token(at, gateway_id=gateway.id, label=label, connected_by="eve@example.com")
            await store.tokens.put(made[label], replacing=None)
            expected = made["work"] if label else made[""]
            await gives(store.tokens.get(*of, None), expected, "the one without a label serves, else the oldest")
        for minute, label in enumerate(["work", "", "home"], 1):
            chosen = next_revision(made[label], chosen_at=clock() + timedelta(minutes=minute))
            await store.tokens.put(chosen, replacing=made[label])
            await gives(store.tokens.get(*of, None), chosen, "the account chosen last serves where none is named")
        await store.tokens.delete(*of, "home")
        seen = await store.tokens.get(*of, None)
        same(seen and seen.label, "", "after it is gone, the one chosen before it")

    # -- compare and swap -----------------------------------------------------------------------------

    async def test_token_swap(self, store: RecordStore, clock: MovedClock) -> None:
        """The next revision replaces the one that was read."""
        token = await _token(store, clock)
        second = next_revision(token, refresh_token=None, needs_reauth=True)
        await store.tokens.put(second, replacing=token)
        await gives(store.tokens.get(token.gateway_id, token.app_user_email), second, "a swap writes the token whole")
        await gives(store.tokens.list(), [second], "a swap leaves one token")

    async def test_token_swap_by_a_late_writer(self, store: RecordStore, clock: MovedClock) -> None:
        """Who read before somebody else wrote is refused, and what was written stands."""
        token = await _token(store, clock)
        second = next_revision(token)
        await store.tokens.put(second, replacing=token)
        late = next_revision(token, token_type="late")  # noqa: S106  a type
        await refused(store.tokens.put(late, replacing=token), RecordConflict, "a late writer is refused")
        seen = await store.tokens.get(token.gateway_id, token.app_user_email)
        same(seen, second, "a refused swap changes nothing")

    async def test_token_put_where_one_is(self, store: RecordStore, clock: MovedClock) -> None:
        """``replacing=None`` means: there is none yet."""
        token = await _token(store, clock)
        other = samples.stored_token(clock(), gateway_id=token.gateway_id)
        rule = "put with replacing=None is refused where a token is"
        await refused(store.tokens.put(other, replacing=None), RecordConflict, rule)
        seen = await store.tokens.get(token.gateway_id, token.app_user_email)
        same(seen, token, "a refused put changes nothing")

    async def test_token_swap_of_a_deleted_one(self, store: RecordStore, clock: MovedClock) -> None:
        """A refresh that ends after the user disconnected does not bring the token back."""
        token = await _token(store, clock)
        await store.tokens.delete(token.gateway_id, token.app_user_email)
        late = next_revision(token)
        await refused(store.tokens.put(late, replacing=token), RecordConflict, "a deleted token is not brought back")
        seen = await store.tokens.get(token.gateway_id, token.app_user_email)
        same(seen, None, "a refused swap changes nothing")

    async def test_token_swap_after_deletion_and_recreation(self, store: RecordStore, clock: MovedClock) -> None:
        """Disconnected and authorized anew: the revision is 1 again, but it is another token (the ABA case)."""
        token = await _token(store, clock)
        await store.tokens.delete(token.gateway_id, token.app_user_email)
        fresh = replace(token, id=samples.new_id(), user_id="somebody-else")
        await store.tokens.put(fresh, replacing=None)
        late = next_revision(token)
        rule = "a swap compares id and revision: a token made anew with the same revision is another one"
        await refused(store.tokens.put(late, replacing=token), RecordConflict, rule)
        seen = await store.tokens.get(token.gateway_id, token.app_user_email)
        same(seen, fresh, "a refused swap changes nothing")

    async def test_token_replaced_by_a_new_authorization(self, store: RecordStore, clock: MovedClock) -> None:
        """A swap may bring another id: authorizing again replaces the token that stands."""
        token = await _token(store, clock)
        fresh = next_revision(token, id=samples.new_id())
        await store.tokens.put(fresh, replacing=token)
        await gives(store.tokens.list(), [fresh], "a swap may replace a token by one with another id")
        await refused(store.tokens.put(next_revision(token), replacing=token), RecordConflict, "a late one is refused")

    async def test_token_swapped_by_many(self, store: RecordStore, clock: MovedClock) -> None:
        """Fifty refreshes of one token at once: one is written, forty-nine are told."""
        token = await _token(store, clock)
        writers = [next_revision(token, user_id=f"writer-{number}") for number in range(50)]
        results = await outcomes(store.tokens.put(writer, replacing=token) for writer in writers)
        winners = [writer for writer, result in zip(writers, results, strict=True) if result is None]
        losers = [result for result in results if isinstance(result, RecordConflict)]
        seen = f"{len(winners)} winners, {len(losers)} conflicts of {len(results)}"
        holds(len(winners) == 1 and len(losers) == 49, "of fifty writers of one revision one succeeds", seen)
        stored = await store.tokens.get(token.gateway_id, token.app_user_email)
        same(stored, winners[0], "what the winner wrote is what is stored")

    async def test_first_token_put_by_many(self, store: RecordStore, clock: MovedClock) -> None:
        """Twenty first tokens at once, for one user: one is kept."""
        gateway = await _gateway(store, clock)
        writers = [samples.stored_token(clock(), gateway_id=gateway.id) for _ in range(20)]
        results = await outcomes(store.tokens.put(writer, replacing=None) for writer in writers)
        winners = [writer for writer, result in zip(writers, results, strict=True) if result is None]
        losers = [result for result in results if isinstance(result, RecordConflict)]
        holds(len(winners) == 1 and len(losers) == 19, "of many first tokens one is kept", found(results))
        await gives(store.tokens.list(gateway_id=gateway.id), winners, "the winner's token is the one that is stored")

    async def test_tokens_in_pages(self, store: RecordStore, clock: MovedClock) -> None:
        """Where the store can (``PagedTokens``): every token once, by its id."""
        gateway = await _gateway(store, clock)
        emails = [f"user{number}@example.com" for number in range(5)]
        kept = [samples.stored_token(clock(), gateway_id=gateway.id, app_user_email=email) for email in emails]
        for token in kept:
            await store.tokens.put(token, replacing=None)
        if not isinstance(store.tokens, PagedTokens):
            return
        read: list[StoredToken] = []
        while page := await store.tokens.page(after=read[-1].id if read else "", limit=2):
            holds(len(page) <= 2, "a page has at most as many as are asked for", found(page))
            read += page
        same(read, sorted(kept, key=lambda token: token.id), "pages have every token once, by its id")
