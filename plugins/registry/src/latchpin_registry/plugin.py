"""What Latchpin finds: the registry's routes, and its setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin

if TYPE_CHECKING:
    from latchpin_registry.settings import RegistrySettings

__all__ = ["latchpin_routes", "latchpin_settings"]


@latchpin.hookimpl
def latchpin_settings() -> list[type[RegistrySettings]]:
    """Name the variable."""
    from latchpin_registry.settings import RegistrySettings  # noqa: PLC0415  loaded when asked for

    return [RegistrySettings]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the registry."""
    return ["latchpin_registry.routes:make_router"]
