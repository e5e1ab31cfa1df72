"""The web application: routes, guard and error answers over one assembled gateway."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

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
    routes_gateways,
    routes_health,
    routes_oauth,
    routes_pages,
    routes_people,
    routes_resources,
)
from latchpin.web.dispatch import GuardedApp
from latchpin.web.guard import install_guard
from latchpin.web.handlers import install_errors
from latchpin.web.lifespan import StartupErrorFilter

__all__ = ["create_app"]

_log = logging.getLogger("latchpin.web")

_OWN = (
    routes_oauth.router,
    routes_api.router,
    routes_gateways.router,
    routes_health.router,
    routes_people.router,
    routes_resources.router,
    routes_pages.router,
)
"""The core's, in the order in which they are asked."""


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
    of_plugins = plugins.values(ROUTES)
    routers = [*_OWN, *of_plugins]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        async with _opened(app, plugins, settings, clock), _begun(app, routers) as state:
            when_open()
            yield state

    app = GuardedApp(
        title="Latchpin",
        summary="An OAuth gateway for MCP servers.",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
    )
    install_errors(app)
    app.router.routes.extend(routes_oauth.FLOW_ROUTES)
    for router in routers:  # as they are: ``include_router`` has each route studied again, for every application
        app.router.routes.extend(router.routes)
    app.state.plugins = plugins
    app.state.navigation = plugins.values(NAVIGATION)
    app.add_middleware(StartupErrorFilter)
    standing_out = [route for router in of_plugins for route in router.routes]
    install_guard(app, settings, [*routes_oauth.FLOW_ROUTES, routes_health.HEALTH, *standing_out])
    return app


@asynccontextmanager
async def _begun(app: FastAPI, routers: Iterable[APIRouter]) -> AsyncIterator[Mapping[str, Any] | None]:
    """Keep open what each router opens; give what these put into the state of requests, of two the earlier."""
    state: dict[str, Any] = {}
    async with AsyncExitStack() as begun:
        for router in routers:
            given: Mapping[str, Any] | None = await begun.enter_async_context(router.lifespan_context(app))
            state = {**(given or {}), **state}
        yield state or None


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
