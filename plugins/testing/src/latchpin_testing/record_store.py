"""The suite that every record store passes, unchanged; used like ``StateStoreContract``."""

from __future__ import annotations

import pytest
from latchpin.contracts import RecordStore
from latchpin.errors import RecordConflict

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.opening import AnySettings
from latchpin_testing.records_clients import ClientRules
from latchpin_testing.records_collections import CollectionRules
from latchpin_testing.records_count import CountRules
from latchpin_testing.records_due import DueRules
from latchpin_testing.records_gateways import GatewayRecordRules
from latchpin_testing.records_tokens import TokenRules
from latchpin_testing.rules import gives, holds, refused, same
from latchpin_testing.sealing import SuiteCipher

__all__ = ["RecordStoreContract"]


@pytest.mark.asyncio
class RecordStoreContract(GatewayRecordRules, TokenRules, DueRules, CountRules, ClientRules, CollectionRules):
    """Gateways, tokens, clients and collections, and what holds across them."""

    async def test_deleting_a_gateway_takes_everything_below_it(self, store: RecordStore, clock: MovedClock) -> None:
        """Its tokens and clients go; another gateway's stay."""
        gone, stays = samples.gateway(clock()), samples.gateway(clock())
        for gateway in (gone, stays):
            await store.gateways.put(gateway)
            for email in ("ada@example.com", "bob@example.com"):
                token = samples.stored_token(clock(), gateway_id=gateway.id, app_user_email=email)
                await store.tokens.put(token, replacing=None)
            for issuer in ("https://as.example.com", "https://other.example.com"):
                await store.clients.put(samples.registered_client(clock(), gateway_id=gateway.id, issuer=issuer))
        await gives(store.gateways.delete(gone.id), True, "deleting a gateway that exists says True")
        await gives(self._below(store, gone.id), (0, 0), "a deleted gateway's tokens and clients are gone")
        await gives(self._below(store, stays.id), (2, 2), "another gateway keeps its tokens and clients")
        same(len(await store.tokens.list()), 2, "a deleted gateway's tokens are in no list")
        same(len(await store.clients.list()), 2, "a deleted gateway's clients are in no list")
        await gives(store.gateways.delete(gone.id), False, "deleting a gateway that does not exist says False")

    async def test_nothing_comes_after_a_gateway_is_deleted(self, store: RecordStore, clock: MovedClock) -> None:
        """Who was still writing when it was deleted is refused: no token or client of nobody's gateway stays."""
        gateway = samples.gateway(clock())
        await store.gateways.put(gateway)
        token = samples.stored_token(clock(), gateway_id=gateway.id)
        client = samples.registered_client(clock(), gateway_id=gateway.id)
        await store.gateways.delete(gateway.id)
        rule = "what belongs to a gateway is refused once the gateway is gone"
        await refused(store.tokens.put(token, replacing=None), RecordConflict, rule)
        await refused(store.clients.put(client), RecordConflict, rule)
        await gives(self._below(store, gateway.id), (0, 0), "a refused write leaves nothing")
        await gives(store.tokens.list(), [], "a refused token is in no list")
        await gives(store.clients.list(), [], "a refused client is in no list")

    async def _below(self, store: RecordStore, gateway_id: str) -> tuple[int, int]:
        tokens = await store.tokens.list(gateway_id=gateway_id)
        clients = await store.clients.list(gateway_id=gateway_id)
        return len(tokens), len(clients)

    async def test_no_secret_in_the_stored_bytes(
        self, store: RecordStore, settings: AnySettings, clock: MovedClock, cipher: SuiteCipher
    ) -> None:
        """Secrets lie there sealed, and a deleted token is gone with every byte."""
        secret = "tok-2YotnFZFEjr1zCsicMWpAA"  # noqa: S105  the sample to look for
        gateway = samples.gateway(clock())
        sealed = cipher.seal(secret, associated_data=[gateway.id, "ada@example.com", "access_token"])
        await store.gateways.put(gateway)
        token = samples.stored_token(clock(), gateway_id=gateway.id, access_token=sealed)
        await store.tokens.put(token, replacing=None)
        before = await self.stored_bytes(store, settings)
        holds(sealed.encode() in before, "stored_bytes() shows every byte held, the sealed token among them")
        holds(secret.encode() not in before, "no secret is stored in the clear")
        await store.gateways.delete(gateway.id)
        after = await self.stored_bytes(store, settings)
        holds(sealed.encode() not in after, "a deleted gateway's tokens leave no trace")

    async def test_check_passes_and_leaves_nothing(self, store: RecordStore) -> None:
        """A store that works says so, and asking does not show in it."""
        for _ in range(2):
            await store.check()
        seen = [await store.gateways.list(), await store.tokens.list(), await store.clients.list()]
        same(seen, [[], [], []], "check() leaves nothing behind; each test begins with an empty store")
