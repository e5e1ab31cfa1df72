"""A workload's own JWT: on the entry, or in a file below ASSERTION_FOLDER."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from latchpin.contracts import Cipher
from latchpin.model import Gateway
from latchpin.sdk.gateway import open_configured_secret
from latchpin.sdk.oauth import LONGEST_ASSERTION, read_expiry

from latchpin_enterprise.errors import AssertionUnusable

__all__ = ["read_workload"]


async def read_workload(gateway: Gateway, *, folder: str | None, cipher: Cipher, now: datetime) -> str:
    """The JWT on the entry, or in the file, which is read each time: whoever issues it replaces it there.

    Raises:
        AssertionUnusable: it is missing, is no JWT, or has expired.
        Unsealable: the entry's was sealed under a secret that is gone.
    """
    name = gateway.oauth.assertion_file if gateway.oauth is not None else None
    if name is not None:
        text = await asyncio.to_thread(_read_file, folder, name)
    else:
        text = open_configured_secret(gateway, cipher, column="assertion") or ""
    return _check(text.strip(), name, now)


def _read_file(folder: str | None, name: str) -> str:
    if folder is None:
        raise AssertionUnusable(
            f"the file {name} is not read: no folder of such files is set", remedy="Set ASSERTION_FOLDER."
        )
    try:
        with (Path(folder) / name).open(encoding="ascii") as file:
            return file.read(LONGEST_ASSERTION + 2)
    except (OSError, ValueError) as exc:
        why = (exc.strerror if isinstance(exc, OSError) else None) or "it is not ASCII text"
        raise AssertionUnusable(
            f"the file {name} in ASSERTION_FOLDER cannot be read: {why}",
            remedy="Check that the file is there and that the gateway's process may read it.",
        ) from exc


def _check(token: str, name: str | None, now: datetime) -> str:
    where = f"the file {name} in ASSERTION_FOLDER" if name is not None else "the gateway's assertion"
    expires_at = read_expiry(token)
    if expires_at is None:
        raise AssertionUnusable(f"{where} holds no JWT of at most 16 kB that says when it expires")
    if expires_at <= now:
        raise AssertionUnusable(
            f"the JWT in {where} expired at {expires_at.isoformat()}",
            remedy="Let its issuer replace the JWT; enter a gateway's assertion anew.",
        )
    return token
