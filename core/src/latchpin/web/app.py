"""The web application: routes, guard and error answers over one assembled gateway."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from latchpin import __version__
from latchpin.activity.logs import set_up_logging
from latchpin.application import Application
from latchpin.assembly.assembling import assemble
from latchpin.assembly.clock import utc_now
from latchpin.contracts import BackgroundTask, Clock
from latchpin.errors import LatchpinError
from latchpin.identity.login import create_first_link, invitation
from latchpin.plugins.hookspecs import BACKGROUND_TASKS, NAVIGATION, ROUTES
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import doubtful_settings
from latchpin.services import Services
from latchpin.serving.announcing import announced
from latchpin.serving.background import running
from latchpin.serving.serve import require_servable
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.web import (
    routes_api,
    routes_ended,
    routes_gateways,
    routes_health,
    routes_keys,
    routes_oauth,
    routes_pages,
    routes_people,
    routes_resources,
)
from latchpin.web.description import describe_api
from latchpin.web.dispatch import GuardedApp
from latchpin.web.flow_description import FLOW_PATHS
from latchpin.web.guard import install_guard
from latchpin.web.handlers import install_errors
from latchpin.web.lifespan import StartupErrorFilter

__all__ = ["create_app"]

_log = logging.getLogger("latchpin.web")


def create_app(
    *,
    settings: CoreSettings | None = None,
    plugins: Plugins | None = None,
    clock: Clock = utc_now,
    when_open: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Make the application; services are opened when the server starts it, and closed when it stops.

    Args:
        settings: what was read already.
        plugins: what is installed.
        clock: the gateway's.
        when_open: is called once everything is open.

    Raises:
        SettingsError, PluginError: what can be known before anything is opened.
    """
    settings = settings or load(CoreSettings)
    plugins = plugins or Plugins()
    require_servable(plugins, settings)
    set_up_logging(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _opened(app, plugins, settings, clock):
            when_open()
            yield

    app = GuardedApp(
        title="Latchpin",
        summary="An OAuth gateway for MCP servers.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    describe_api(app, settings, FLOW_PATHS)
    install_errors(app)
    app.router.routes.extend(routes_oauth.FLOW_ROUTES)
    for module in (
        routes_oauth,
        routes_api,
        routes_ended,
        routes_gateways,
        routes_health,
        routes_keys,
        routes_people,
        routes_resources,
        routes_pages,
    ):
        app.include_router(module.router)
    routers = plugins.values(ROUTES)
    for router in routers:
        app.include_router(router)
    app.state.plugins = plugins
    app.state.navigation = plugins.values(NAVIGATION)
    app.add_middleware(StartupErrorFilter)
    of_plugins = [route for router in routers for route in router.routes]
    install_guard(app, settings, [*routes_oauth.FLOW_ROUTES, routes_health.HEALTH, *of_plugins])
    return app


@asynccontextmanager
async def _opened(app: FastAPI, plugins: Plugins, settings: CoreSettings, clock: Clock) -> AsyncIterator[None]:
    try:
        async with assemble(plugins, settings, clock=clock) as services:
            application = Application(services)
            app.state.services, app.state.application = services, application
            _warn(application, plugins)
            await application.pending_authorizations.meet_store()
            await _invite(application)
            try:
                async with announced(services), running(_named(services, plugins), application):
                    yield
            finally:  # also where the server gives up waiting: what is queued for the stores must reach them
                await application.close()
    except LatchpinError as exc:
        _log.critical("Cannot start: %s; remedy: %s", exc.in_full, exc.for_operator())
        raise


def _named(services: Services, plugins: Plugins) -> Mapping[str, BackgroundTask[Any]]:
    """The background tasks by names for the log, which say whose each is."""
    tasks = services.background_tasks.items()
    return {f"{name} ({plugins.who_offers(BACKGROUND_TASKS, name)})": task for name, task in tasks}


def _warn(application: Application, plugins: Plugins) -> None:
    """Say at the start what works but should not stay so."""
    services, settings = application.services, application.services.settings
    if settings.weak_secret:
        _log.warning(
            "AUTH_ENCRYPTION_SECRET is the published default or shorter than 32 bytes: only loopback is served; "
            "make one with: latchpin secret generate"
        )
    for sentence in doubtful_settings(plugins):
        _log.warning("%s", sentence)
    if services.states is None:
        _log.warning("CACHE_TYPE=none keeps no state: authorize and callback will answer 503")
    state = services.state_backend
    if state is not None and not state.shared:
        _log.warning("CACHE_TYPE=%s is for one process only: states are lost at a restart", state.name)


async def _invite(application: Application) -> None:
    """Print the administrator's login link of a first start: on stderr only, never in the log."""
    found = await create_first_link(application.services)
    if found is not None:
        sys.stderr.write(invitation(*found))
        sys.stderr.flush()
