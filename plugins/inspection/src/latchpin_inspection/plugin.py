"""What Latchpin finds: the endpoint that says what discovery finds now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import latchpin

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["latchpin_routes"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[APIRouter]:
    """Offer ``GET /gateways/{gateway_id}/discovery``."""
    from latchpin_inspection.routes import router  # noqa: PLC0415  FastAPI is not loaded by commands

    return (router,)
