"""The router with the one endpoint."""

from __future__ import annotations

from fastapi import APIRouter
from latchpin.sdk.web import make_mcp_router

from latchpin_aggregator.endpoint import open_endpoint
from latchpin_aggregator.resource import PATH

__all__ = ["make_router"]


def make_router() -> APIRouter:
    """A router of its own for each application."""
    return make_mcp_router(PATH, open_endpoint)
