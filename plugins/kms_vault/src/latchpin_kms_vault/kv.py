"""Secrets that files of configuration refer to, in the key-value engine (version 2): ``vault:PATH#FIELD``."""

from __future__ import annotations

import re
from typing import Any

from latchpin.contracts import SecretScheme
from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import load

from latchpin_kms_vault.opening import open_client
from latchpin_kms_vault.replies import NothingThere
from latchpin_kms_vault.settings import PATH, VaultSettings

__all__ = ["SCHEME"]

_FIELD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST = 512


async def _read(application: Application, reference: str) -> str:
    """The newest version of one field.

    Raises:
        InvalidRequest: there is none, or the reference is none.
        SettingsError, ConfigurationError, UpstreamError: the server cannot be asked, or refuses.
    """
    path, _, name = reference.partition("#")
    if len(reference) > _LONGEST or not PATH.fullmatch(path) or not _FIELD.fullmatch(name):
        raise InvalidRequest("vault: needs a path and a field, as in vault:latchpin/github#client_secret")
    settings = load(VaultSettings)
    client = await open_client(settings, application.services.context)
    place = f"{settings.vault_kv_mount}/data/{path}"
    denied = f"Give the login a policy with the capability 'read' on {place}: see docs/kms.md."
    try:
        found: Any = await client.ask(place, None, act=f"reading {place}", denied=denied, method="GET")
    except NothingThere:
        raise InvalidRequest(f"nothing is at {place} in OpenBao or Vault") from None
    for key in ("data", "data", name):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str):
        raise InvalidRequest(f"{place} in OpenBao or Vault has no text under '{name}'")
    return found


SCHEME = SecretScheme("vault", "the path of a secret in OpenBao or Vault, and one of its fields: PATH#FIELD", _read)
