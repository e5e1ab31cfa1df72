"""The router with the endpoints."""

from __future__ import annotations

from fastapi import APIRouter
from latchpin.sdk.web import make_mcp_router

from latchpin_aggregator.endpoints import open_endpoints
from latchpin_aggregator.selection import PATH

__all__ = ["make_router"]


def make_router() -> APIRouter:
    """A router of its own for each application."""
    return make_mcp_router(PATH, open_endpoints, f"{PATH}/{{slug}}")
