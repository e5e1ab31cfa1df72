"""What Latchpin finds: the one endpoint, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import ProtectedResources

if TYPE_CHECKING:
    from fastapi import APIRouter

    from latchpin_aggregator.settings import AggregatorSettings

__all__ = ["latchpin_protected_resources", "latchpin_routes", "latchpin_settings"]


@latchpin.hookimpl
def latchpin_settings() -> list[type[AggregatorSettings]]:
    """Name the variables of the one endpoint."""
    from latchpin_aggregator.settings import AggregatorSettings  # noqa: PLC0415  loaded when asked for

    return [AggregatorSettings]


@latchpin.hookimpl
def latchpin_routes() -> list[APIRouter]:
    """Offer the endpoint."""
    from latchpin_aggregator.routes import make_router  # noqa: PLC0415  FastAPI is not loaded by commands

    return [make_router()]


@latchpin.hookimpl
def latchpin_protected_resources() -> list[ProtectedResources]:
    """Name the endpoint, so that clients can get tokens for it."""
    from latchpin_aggregator.resource import find_resource, list_resources, names_endpoint  # noqa: PLC0415  as above

    return [ProtectedResources(names_endpoint, find_resource, list_resources)]
