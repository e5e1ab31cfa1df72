"""What latchpin finds through the entry point: the key service, and the renewal of its login."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import Backend, BackgroundTask, Context, Every, KeyWrapper
from latchpin.errors import SettingsError

if TYPE_CHECKING:
    from latchpin_kms_vault.client import VaultClient
    from latchpin_kms_vault.settings import VaultSettings

__all__ = ["latchpin_background_tasks", "latchpin_key_wrapper"]

NAME, LABEL = "vault", "the Transit engine of OpenBao or Vault"
_SECONDS_BETWEEN_LOOKS = 30


async def _client(settings: VaultSettings, context: Context) -> VaultClient:
    """The one client of this process."""
    from latchpin_kms_vault.client import VaultClient  # noqa: PLC0415  loads only when it is selected

    upstream = await context.trusted(settings.vault_addr)

    @asynccontextmanager
    async def opened() -> AsyncIterator[VaultClient]:
        yield VaultClient(upstream, settings, context.clock)

    return await context.shared("latchpin-kms-vault", opened)


@asynccontextmanager
async def _open_wrapper(settings: VaultSettings, context: Context) -> AsyncIterator[KeyWrapper]:
    """Ask nobody yet: a server that is away is told where a key is wanted."""
    from latchpin_kms_vault.wrapper import TransitWrapper  # noqa: PLC0415  the same

    _require(settings)
    yield TransitWrapper(await _client(settings, context), settings)


def _require(settings: VaultSettings) -> None:
    if not settings.vault_addr:
        raise SettingsError("VAULT_ADDR is empty", remedy="Set it to the server's address: see docs/kms.md.")
    if not settings.signs_in:
        remedy = "Set VAULT_TOKEN_FILE, or VAULT_ROLE_ID and VAULT_SECRET_ID_FILE, or VAULT_KUBERNETES_ROLE."
        raise SettingsError("nothing to sign in to VAULT_ADDR with is set", remedy=remedy)


@asynccontextmanager
async def _open_renewal(settings: VaultSettings, context: Context) -> AsyncIterator[BackgroundTask[Any] | None]:
    """None where the server is not asked at all."""
    if not settings.vault_addr or not settings.signs_in:
        yield None
        return
    client = await _client(settings, context)

    async def renew(_: object) -> None:
        await client.login.renew()

    yield Every(_SECONDS_BETWEEN_LOOKS, renew)


@latchpin.hookimpl
def latchpin_key_wrapper() -> Backend[VaultSettings, KeyWrapper]:
    """Offer ``KEY_WRAPPER=vault``."""
    from latchpin_kms_vault.settings import VaultSettings  # noqa: PLC0415  the same

    return Backend(NAME, LABEL, VaultSettings, _open_wrapper)


@latchpin.hookimpl
def latchpin_background_tasks() -> Backend[VaultSettings, BackgroundTask[Any] | None]:
    """Renew the login at the server before it ends."""
    from latchpin_kms_vault.settings import VaultSettings  # noqa: PLC0415  the same

    return Backend("vault-login", "renewal of the login at OpenBao or Vault", VaultSettings, _open_renewal)
