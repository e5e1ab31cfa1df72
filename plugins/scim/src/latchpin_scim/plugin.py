"""What Latchpin finds: the directory's routes, their settings, and what doctor asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Check, CheckContext, Finding

if TYPE_CHECKING:
    from latchpin_scim.settings import ScimSettings

__all__ = ["latchpin_checks", "latchpin_routes", "latchpin_settings"]


@latchpin.hookimpl
def latchpin_settings() -> list[type[ScimSettings]]:
    """Name the variables."""
    from latchpin_scim.settings import ScimSettings  # noqa: PLC0415  loaded when asked for

    return [ScimSettings]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the directory's addresses; where no token is set, each answers 404."""
    return ["latchpin_scim.routes:make_router"]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Offer what ``latchpin doctor`` asks about the directory."""
    return [Check("scim", "Directory", "the directory that says who left", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_scim.checks import check_directory  # noqa: PLC0415  loaded when doctor runs

    return await check_directory(context)
