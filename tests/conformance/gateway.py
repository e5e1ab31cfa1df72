"""The one gateway that all scenarios work through, as its deployer runs it; ``PORT`` and settings from outside."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI
from latchpin.configuration import CoreSettings
from latchpin.plugins import Plugins
from latchpin.settings import load
from latchpin.web.app import create_app

PROXY = "/gateways/{gateway_id}/mcp"


def build_app(settings: CoreSettings) -> FastAPI:
    """The application, with the stand-in where no installed plugin offers the MCP endpoint."""
    plugins = Plugins()
    app = create_app(settings=settings, plugins=plugins)
    offered = {route.path for offer in plugins.offers("latchpin_routes") for route in offer.value.routes}
    if PROXY not in offered:
        from tests.conformance.stand_in import router

        app.include_router(router)
    return app


if __name__ == "__main__":
    chosen = load(CoreSettings)
    uvicorn.run(
        build_app(chosen), host=chosen.host, port=chosen.port, access_log=False, log_config=None, proxy_headers=False
    )
