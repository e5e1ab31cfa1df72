"""The rows that the core keeps under keys: gateways' secrets, tokens, clients, and what is random."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from latchpin.clients.secrets import reseal_client, reseal_configured, sealed_in
from latchpin.contracts import Cipher, Context, KeyedRow, KeyUse, PagedTokens, RecordStore, ReplacingClients
from latchpin.identity.assertion_store import PREFIX as ASSERTIONS
from latchpin.records.key_uses import kept_use, key_ids
from latchpin.tokens.renewal import lease_of
from latchpin.tokens.sealing import reseal_token
from latchpin.workers.keys import PREFIX as RANDOM_KEYS
from latchpin.workers.leases import Leases

if TYPE_CHECKING:
    from latchpin.model import Gateway, RegisteredClient, StoredToken

__all__ = ["list_key_uses"]

_LEASE = timedelta(seconds=30)
_PAGE = 500


async def _gateways(context: Context) -> AsyncIterator[KeyedRow]:
    async def write(gateway: Gateway) -> None:
        anew = replace(reseal_configured(gateway, context.cipher), revision=gateway.revision + 1)
        await context.records.gateways.replace(anew)

    for gateway in await context.records.gateways.list():
        if sealed := sealed_in(gateway):
            yield KeyedRow(key_ids(context.cipher, sealed.values()), partial(write, gateway))


async def _tokens(context: Context) -> AsyncIterator[KeyedRow]:
    leases = Leases(context.kept, context.clock)

    async def write(token: StoredToken) -> None:
        """Under the lease of its renewal, whose outcome would else have nowhere to be kept."""
        place = lease_of(token.gateway_id, token.app_user_email, token.label)
        async with leases.hold("refresh", place, life=_LEASE, wait=timedelta(0)):
            anew = replace(reseal_token(context.cipher, token), revision=token.revision + 1)
            await context.records.tokens.put(anew, replacing=token)

    async for token in _every_token(context.records):
        sealed = (token.access_token, token.refresh_token)
        yield KeyedRow(key_ids(context.cipher, sealed), partial(write, token))


async def _every_token(records: RecordStore) -> AsyncIterator[StoredToken]:
    if not isinstance(records.tokens, PagedTokens):
        for gateway in await records.gateways.list():
            for token in await records.tokens.list(gateway_id=gateway.id):
                yield token
        return
    after = ""
    while page := await records.tokens.page(after=after, limit=_PAGE):
        for token in page:
            yield token
        after = page[-1].id


async def _clients(context: Context) -> AsyncIterator[KeyedRow]:
    records = context.records.clients

    async def write(records: ReplacingClients, client: RegisteredClient, cipher: Cipher) -> None:
        await records.replace(reseal_client(client, cipher), replacing=client)

    for client in await records.list():
        if keys := key_ids(context.cipher, (client.client_secret, client.registration_access_token)):
            anew = partial(write, records, client, context.cipher) if isinstance(records, ReplacingClients) else None
            yield KeyedRow(keys, anew)


def list_key_uses() -> Sequence[KeyUse]:
    """Name what the core keeps."""
    return [
        KeyUse("gateways' secrets", _gateways),
        KeyUse("users' tokens", _tokens),
        KeyUse("registered clients", _clients),
        kept_use("random keys that workers share", RANDOM_KEYS, lambda name: (name,)),
        kept_use("ID tokens handed in", ASSERTIONS, None),
    ]
