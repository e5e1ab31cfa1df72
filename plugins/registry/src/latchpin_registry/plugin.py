"""What Latchpin finds: the registry's routes, and its setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import latchpin

if TYPE_CHECKING:
    from fastapi import APIRouter

    from latchpin_registry.settings import RegistrySettings

__all__ = ["latchpin_routes", "latchpin_settings"]


@latchpin.hookimpl
def latchpin_settings() -> list[type[RegistrySettings]]:
    """Name the variable."""
    from latchpin_registry.settings import RegistrySettings  # noqa: PLC0415  loaded when asked for

    return [RegistrySettings]


@latchpin.hookimpl
def latchpin_routes() -> list[APIRouter]:
    """Offer the registry."""
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_registry.routes import make_router  # noqa: PLC0415  FastAPI is not loaded by commands
    from latchpin_registry.settings import RegistrySettings  # noqa: PLC0415  as above

    return [make_router(public=load(RegistrySettings).registry_public)]
