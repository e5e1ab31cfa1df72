"""What Latchpin finds: one client registrar, asked after every cheaper way to a client_id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import ClientRegistrar

if TYPE_CHECKING:
    from latchpin_dcr.settings import DcrSettings


__all__ = ["latchpin_client_registrar"]


@asynccontextmanager
async def _open(settings: DcrSettings, context: latchpin.Context) -> AsyncIterator[ClientRegistrar]:
    from latchpin_dcr.registrar import DynamicRegistrar  # noqa: PLC0415  loaded when opened

    yield DynamicRegistrar(settings, context.upstream, context.clock)


@latchpin.hookimpl
def latchpin_client_registrar() -> latchpin.Backend[DcrSettings, ClientRegistrar]:
    """Offer Dynamic Client Registration."""
    from latchpin_dcr.settings import DcrSettings  # noqa: PLC0415  loaded when asked for

    return latchpin.Backend(name="dcr", label="Dynamic Client Registration", settings=DcrSettings, open=_open, rank=200)
