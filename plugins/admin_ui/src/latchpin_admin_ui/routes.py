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
    routes_trial,
)

__all__ = ["routers"]

ROUTERS = (
    routes_files.router,
    routes_entry.router,
    routes_trial.router,
    routes_gateway.router,
    routes_connections.router,
    routes_clients.router,
    routes_operation.router,
)


def routers(*, doctor: bool) -> Sequence[APIRouter]:
    """All of them; with ``doctor`` the page that needs ``latchpin-doctor``."""
    return (*ROUTERS, importlib.import_module("latchpin_admin_ui.routes_doctor").router) if doctor else ROUTERS
