"""All pages, in the order in which their paths are matched."""

from __future__ import annotations

from latchpin_admin_ui import (
    routes_clients,
    routes_connections,
    routes_doctor,
    routes_entry,
    routes_files,
    routes_gateway,
    routes_operation,
    routes_trial,
)

__all__ = ["ROUTERS"]

ROUTERS = (
    routes_files.router,
    routes_entry.router,
    routes_trial.router,
    routes_gateway.router,
    routes_connections.router,
    routes_clients.router,
    routes_doctor.router,
    routes_operation.router,
)
