"""What Latchpin finds: the page, and the link to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import NavigationEntry

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["latchpin_navigation", "latchpin_routes"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[APIRouter]:
    """Offer ``/docs``."""
    from latchpin_api_docs.routes import router  # noqa: PLC0415  FastAPI is not loaded by commands

    return (router,)


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to it."""
    return (NavigationEntry("API", "/docs", "What programs can ask, to be tried out.", group="system", rank=900),)
