"""What latchpin finds through the entry point: the key service, the renewal of its login, and a place of secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import Backend, BackgroundTask, Context, Every, KeyWrapper

if TYPE_CHECKING:
    from latchpin_kms_vault.settings import VaultSettings

__all__ = ["latchpin_background_tasks", "latchpin_key_wrapper", "latchpin_secret_schemes"]

NAME, LABEL = "vault", "the Transit engine of OpenBao or Vault"
_SECONDS_BETWEEN_LOOKS = 30


@asynccontextmanager
async def _open_wrapper(settings: VaultSettings, context: Context) -> AsyncIterator[KeyWrapper]:
    from latchpin_kms_vault.opening import open_client  # noqa: PLC0415  loads only when it is selected
    from latchpin_kms_vault.wrapper import TransitWrapper  # noqa: PLC0415  the same

    yield TransitWrapper(await open_client(settings, context), settings)


@asynccontextmanager
async def _open_renewal(settings: VaultSettings, context: Context) -> AsyncIterator[BackgroundTask[Any] | None]:
    """None where the server is not asked at all."""
    if not settings.vault_addr or not settings.signs_in:
        yield None
        return
    from latchpin_kms_vault.opening import open_client  # noqa: PLC0415  the same

    client = await open_client(settings, context)

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


@latchpin.hookimpl
def latchpin_secret_schemes() -> Sequence[str]:
    """Offer ``vault:PATH#FIELD`` to files of configuration."""
    return ["latchpin_kms_vault.kv:SCHEME"]
