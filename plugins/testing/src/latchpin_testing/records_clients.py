"""The rules of a record store's registered clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from latchpin.contracts import RecordStore, ReplacingClients
from latchpin.errors import RecordConflict
from latchpin.model import Gateway

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import OpenedBackend
from latchpin_testing.rules import found, gives, holds, outcomes, refused, same

__all__ = ["ClientRules"]


async def _gateways(store: RecordStore, clock: MovedClock, count: int) -> list[Gateway]:
    made = [samples.gateway(clock()) for _ in range(count)]
    for gateway in made:
        await store.gateways.put(gateway)
    return made


@pytest.mark.asyncio
class ClientRules(OpenedBackend):
    """One client for each gateway and issuer."""

    async def test_client_round_trip(self, store: RecordStore, clock: MovedClock) -> None:
        """Every field survives, the filled-in ones and the absent ones."""
        (gateway,) = await _gateways(store, clock, 1)
        full = samples.registered_client(clock(), gateway_id=gateway.id)
        bare = samples.registered_client(
            clock(),
            gateway_id=gateway.id,
            issuer="https://as.example.com/TENANT/1",
            client_secret=None,
            redirect_uris=(),
            grant_types=(),
            scope="",
            registration_client_uri=None,
            registration_access_token=None,
            expires_at=None,
            is_active=False,
        )
        for client in (full, bare):
            await store.clients.put(client)
        for client in (full, bare):
            seen = await store.clients.get(gateway.id, client.issuer)
            same(seen, client, "get gives exactly what was put; issuers differ by case")

    async def test_absent_client_is_none(self, store: RecordStore, clock: MovedClock) -> None:
        """Another gateway's client, or another issuer's, is not this one's."""
        (gateway,) = await _gateways(store, clock, 1)
        client = samples.registered_client(clock(), gateway_id=gateway.id)
        await store.clients.put(client)
        await gives(store.clients.get(samples.new_id(), client.issuer), None, "clients are kept by gateway")
        await gives(store.clients.get(gateway.id, client.issuer + "/"), None, "clients are kept by issuer, exactly")

    async def test_client_lists(self, store: RecordStore, clock: MovedClock) -> None:
        """All, or one gateway's, oldest first."""
        gateways = await _gateways(store, clock, 2)
        made = [
            samples.registered_client(
                clock() - timedelta(minutes=age), gateway_id=gateways[age % 2].id, issuer=f"https://as{age}.example.com"
            )
            for age in range(4)
        ]
        for client in made:
            await store.clients.put(client)
        await gives(store.clients.list(), made[::-1], "clients are listed oldest first")
        seen = await store.clients.list(gateway_id=gateways[0].id)
        same(seen, [made[2], made[0]], "clients are listed by gateway, oldest first")

    async def test_client_put_twice(self, store: RecordStore, clock: MovedClock) -> None:
        """A gateway and issuer have one client, and an id names one client."""
        gateways = await _gateways(store, clock, 2)
        client = samples.registered_client(clock(), gateway_id=gateways[0].id)
        await store.clients.put(client)
        again = samples.registered_client(clock(), gateway_id=gateways[0].id)
        await refused(store.clients.put(again), RecordConflict, "a gateway and issuer have one client")
        taken = replace(client, gateway_id=gateways[1].id)
        await refused(store.clients.put(taken), RecordConflict, "a client's id is created once")
        await gives(store.clients.list(), [client], "a refused put changes nothing")

    async def test_client_deletion(self, store: RecordStore, clock: MovedClock) -> None:
        """By the row's id; the place is then free for a new registration."""
        (gateway,) = await _gateways(store, clock, 1)
        client = samples.registered_client(clock(), gateway_id=gateway.id)
        other = samples.registered_client(clock(), gateway_id=gateway.id, issuer="https://other.example.com")
        await store.clients.put(client)
        await store.clients.put(other)
        await gives(store.clients.delete(client.client_id), False, "delete goes by the row's id, not by client_id")
        await gives(store.clients.delete(client.id), True, "deleting a client says True")
        await gives(store.clients.delete(client.id), False, "deleting nothing says False")
        await gives(store.clients.get(gateway.id, client.issuer), None, "a deleted client is gone")
        await gives(store.clients.list(), [other], "deleting one client leaves the others")
        anew = samples.registered_client(clock(), gateway_id=gateway.id)
        await store.clients.put(anew)
        await gives(store.clients.get(gateway.id, anew.issuer), anew, "after a deletion a new client can be put")
        await store.clients.delete(other.id)
        await store.clients.put(other)
        await gives(store.clients.get(gateway.id, other.issuer), other, "a deleted client can be put again")

    async def test_clients_put_by_many(self, store: RecordStore, clock: MovedClock) -> None:
        """Eight registrations at once for one gateway and issuer: one is kept."""
        (gateway,) = await _gateways(store, clock, 1)
        writers = [samples.registered_client(clock(), gateway_id=gateway.id) for _ in range(8)]
        results = await outcomes(store.clients.put(writer) for writer in writers)
        winners = [writer for writer, result in zip(writers, results, strict=True) if result is None]
        losers = [result for result in results if isinstance(result, RecordConflict)]
        holds(len(winners) == 1 and len(losers) == 7, "of many registrations one is kept", found(results))
        await gives(store.clients.list(), winners, "the winner's client is the one that is stored")

    async def test_a_client_is_changed_in_place(self, store: RecordStore, clock: MovedClock) -> None:
        """Where the store can (``ReplacingClients``): over the one that was read, and over no other."""
        if not isinstance(store.clients, ReplacingClients):
            return
        (gateway,) = await _gateways(store, clock, 1)
        before = samples.registered_client(clock(), gateway_id=gateway.id)
        await store.clients.put(before)
        others = [samples.registered_client(clock(), gateway_id=gateway.id) for _ in range(8)]
        writers = [replace(before, client_secret=other.client_secret) for other in others]
        results = await outcomes(store.clients.replace(writer, replacing=before) for writer in writers)
        winners = [writer for writer, result in zip(writers, results, strict=True) if result is None]
        losers = [result for result in results if isinstance(result, RecordConflict)]
        holds(len(winners) == 1 and len(losers) == 7, "of many who change one client one succeeds", found(results))
        await gives(store.clients.list(), winners, "the winner's client is the one that is stored")
        await gives(store.clients.get(gateway.id, before.issuer), winners[0], "it is found as before")
        await store.clients.delete(before.id)
        again = store.clients.replace(before, replacing=winners[0])
        await refused(again, RecordConflict, "a client that is gone is not changed")
        await gives(store.clients.list(), [], "a refused change leaves nothing")

    async def test_a_client_is_compared_as_a_whole(self, store: RecordStore, clock: MovedClock) -> None:
        """Where the store can change one in place: one that differs in any field is another than the one that was read.

        A blank at the end counts, and so does the case of letters.
        """
        if not isinstance(store.clients, ReplacingClients):
            return
        (gateway,) = await _gateways(store, clock, 1)
        stored = samples.registered_client(clock(), gateway_id=gateway.id)
        await store.clients.put(stored)
        wanted = replace(stored, client_secret=None)
        others: dict[str, Any] = {
            "gateway_id": samples.new_id(),
            "issuer": stored.issuer + "/",
            "client_id": stored.client_id.upper(),
            "client_secret": None,
            "redirect_uris": (*stored.redirect_uris, "https://gateway.example.com/other"),
            "grant_types": (),
            "scope": stored.scope + " ",
            "token_endpoint_auth_method": "none",
            "registration_client_uri": None,
            "registration_access_token": None,
            "created_at": stored.created_at - timedelta(microseconds=1),
            "expires_at": None,
            "is_active": not stored.is_active,
        }
        for name, value in others.items():
            read = replace(stored, **{name: value})
            refusal = f"a client is changed only where all of it is as it was read, {name} too"
            await refused(store.clients.replace(wanted, replacing=read), RecordConflict, refusal)
        await gives(store.clients.list(), [stored], "a refused change changes nothing")
        await store.clients.replace(wanted, replacing=stored)
        await gives(store.clients.list(), [wanted], "where all of it is as it was read, it is changed")
