"""A stranger's plugin: a signer on derived keys, a cipher whose key a key service unwraps, clients from a vault."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import latchpin
from latchpin.contracts import (
    Backend,
    Cipher,
    ClientRegistrar,
    Context,
    DerivedKey,
    Keeps,
    RegistrationRequest,
    Signer,
    Upstream,
)
from latchpin.errors import UpstreamUnreadable
from latchpin.model import ClientCredentials, RegisteredClient
from latchpin.sdk.keys import AesGcmCipher, HmacSigner, fetched_keys


class VaultSettings(latchpin.Settings):
    """Where the key service is, and the data keys that it wrapped: the first one seals."""

    acme_vault: str = "http://vault.internal:8200"
    acme_wrapped_keys: tuple[str, ...] = ()


@asynccontextmanager
async def open_signer(settings: latchpin.Settings, context: Context) -> AsyncIterator[Signer]:
    yield HmacSigner(context.keys("acme state signature"))


@latchpin.hookimpl
def latchpin_signer() -> Backend[latchpin.Settings, Signer]:
    """Offer ``SIGNER=acme``."""
    return Backend("acme", "ACME", latchpin.Settings, open_signer)


@asynccontextmanager
async def open_cipher(settings: VaultSettings, context: Context) -> AsyncIterator[Cipher]:
    vault = await context.trusted(settings.acme_vault)

    async def unwrap() -> Sequence[DerivedKey]:
        return [await _unwrapped(vault, settings.acme_vault, text) for text in settings.acme_wrapped_keys]

    async with fetched_keys(unwrap) as keys:
        yield AesGcmCipher(keys)


async def _unwrapped(vault: Upstream, url: str, wrapped: str) -> DerivedKey:
    reply = await vault.send("POST", f"{url}/unwrap", body=wrapped.encode(), repeatable=True)
    if reply.status != 200:
        raise UpstreamUnreadable(f"the key service answered {reply.status}")
    return DerivedKey.named(b64decode(reply.body))


@latchpin.hookimpl
def latchpin_cipher() -> Backend[VaultSettings, Cipher]:
    """Offer ``CIPHER=acme-vault``."""
    return Backend("acme-vault", "ACME vault", VaultSettings, open_cipher)


class VaultRegistrar:
    """Gives the client that the vault has for an issuer, as it is there now."""

    label = "kept in ACME vault"
    keeps = Keeps.FETCHED

    def __init__(self, vault: Upstream, url: str) -> None:
        self._vault, self._url = vault, url

    def obstacle(self, request: RegistrationRequest) -> str | None:
        return None if request.server.issuer else "the server names no issuer to look for"

    async def register(self, request: RegistrationRequest) -> ClientCredentials | None:
        reply = await self._vault.get(f"{self._url}/clients?issuer={request.server.issuer}")
        found = json.loads(reply.body)
        return ClientCredentials(found["id"], found["secret"], "client_secret_basic")

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:
        return f"{client.client_id} is not from the vault."


@asynccontextmanager
async def open_registrar(settings: VaultSettings, context: Context) -> AsyncIterator[ClientRegistrar]:
    yield VaultRegistrar(await context.trusted(settings.acme_vault), settings.acme_vault)


@latchpin.hookimpl
def latchpin_client_registrar() -> Backend[VaultSettings, ClientRegistrar]:
    """Offer the vault's clients before every other way."""
    return Backend("acme-vault", "ACME vault", VaultSettings, open_registrar, rank=5)
