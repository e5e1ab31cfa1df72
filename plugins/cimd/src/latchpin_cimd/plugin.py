"""What Latchpin finds: a registrar between the entered client and DCR, and the route that serves the document."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import ClientRegistrar

if TYPE_CHECKING:
    from latchpin_cimd.settings import CimdSettings

__all__ = [
    "latchpin_client_registrar",
    "latchpin_key_uses",
    "latchpin_routes",
]

_log = logging.getLogger("latchpin.cimd")


@asynccontextmanager
async def _open(settings: CimdSettings, context: latchpin.Context) -> AsyncIterator[ClientRegistrar]:
    from latchpin_cimd.publication import build_client  # noqa: PLC0415  loaded when opened
    from latchpin_cimd.registrar import DocumentRegistrar  # noqa: PLC0415
    from latchpin_cimd.signing_key import open_key  # noqa: PLC0415

    client, reason = build_client(settings, context.base_url)
    if client is None:
        _log.info("CIMD is skipped: %s; other ways to a client_id are used", reason)
    else:
        _log.info("CIMD: this gateway's client_id is %s where servers support it", client.client_id)
    yield DocumentRegistrar(client, lambda: open_key(context.kept, context.cipher), reason)


@latchpin.hookimpl
def latchpin_client_registrar() -> latchpin.Backend[CimdSettings, ClientRegistrar]:
    """Offer the published client: after what is entered, before anything is registered."""
    from latchpin_cimd.settings import CimdSettings  # noqa: PLC0415  loaded when asked for

    return latchpin.Backend(
        name="cimd", label="Client ID Metadata Document", settings=CimdSettings, open=_open, rank=100
    )


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the document."""
    return ["latchpin_cimd.routes:router"]


@latchpin.hookimpl
def latchpin_key_uses() -> Sequence[str]:
    """Name the key that proves the client."""
    return ["latchpin_cimd.signing_key:KEY_USE"]
