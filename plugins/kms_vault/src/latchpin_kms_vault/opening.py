"""The one client of this process, whoever asks first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from latchpin.contracts import Context
from latchpin.errors import SettingsError

from latchpin_kms_vault.client import VaultClient
from latchpin_kms_vault.settings import VaultSettings

__all__ = ["open_client"]


async def open_client(settings: VaultSettings, context: Context) -> VaultClient:
    """Give the client, and ask nobody yet: a server that is away is told where something is wanted of it.

    Raises:
        SettingsError: no address is set, or no way to sign in.
    """
    if not settings.vault_addr:
        raise SettingsError("VAULT_ADDR is empty", remedy="Set it to the server's address: see docs/kms.md.")
    if not settings.signs_in:
        remedy = "Set VAULT_TOKEN_FILE, or VAULT_ROLE_ID and VAULT_SECRET_ID_FILE, or VAULT_KUBERNETES_ROLE."
        raise SettingsError("nothing to sign in to VAULT_ADDR with is set", remedy=remedy)
    upstream = await context.trusted(settings.vault_addr)

    @asynccontextmanager
    async def opened() -> AsyncIterator[VaultClient]:
        yield VaultClient(upstream, settings, context.clock)

    return await context.shared("latchpin-kms-vault", opened)
