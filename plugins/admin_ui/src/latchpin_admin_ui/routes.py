"""All pages, in the order in which their paths are matched."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from fastapi import APIRouter

from latchpin_admin_ui import (
    routes_clients,
    routes_connections,
    routes_entry,
    routes_files,
    routes_gateway,
    routes_operation,
)
from latchpin_admin_ui.plugin import has_doctor

__all__ = ["routers"]

ROUTERS = (
    routes_files.router,
    routes_entry.router,
    routes_gateway.router,
    routes_connections.router,
    routes_clients.router,
    routes_operation.router,
)


def routers() -> Sequence[APIRouter]:
    """All of them; those that need ``latchpin-doctor`` where that is installed."""
    with_doctor = ("routes_trial", "routes_doctor") if has_doctor() else ()
    return (*ROUTERS, *(importlib.import_module(f"latchpin_admin_ui.{name}").router for name in with_doctor))
