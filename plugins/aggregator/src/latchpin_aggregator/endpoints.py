"""The endpoint for all servers, and one for each set. They share everything but what they show."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from latchpin.contracts import McpExchanges
from latchpin.errors import NotFound
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import load
from latchpin.sdk.workers import Bounded
from latchpin_mcp.calls import CallObservers, open_calls
from starlette.exceptions import HTTPException

from latchpin_aggregator.answering import Answering
from latchpin_aggregator.calls import Calls
from latchpin_aggregator.connecting import Connecting
from latchpin_aggregator.endpoint import OneEndpoint, Receive, Scope, Send
from latchpin_aggregator.eras import Eras
from latchpin_aggregator.fetching import Fetching
from latchpin_aggregator.levels import Levels
from latchpin_aggregator.lists import Lists
from latchpin_aggregator.names import Names, open_keys
from latchpin_aggregator.offers import Offers
from latchpin_aggregator.own_sessions import OwnSessions
from latchpin_aggregator.selection import Everything, OneSet, Selection
from latchpin_aggregator.sessions import Sessions
from latchpin_aggregator.sets.directory import Sets, open_sets
from latchpin_aggregator.sets.gateway_set import is_slug
from latchpin_aggregator.settings import AggregatorSettings
from latchpin_aggregator.slugs import Slugs
from latchpin_aggregator.targets import Targets
from latchpin_aggregator.telling import Telling
from latchpin_aggregator.under_way import UnderWay
from latchpin_aggregator.watching import Watching
from latchpin_aggregator.wire import Wire

__all__ = ["Endpoints", "open_endpoints"]

_MOST = 1_000
"""How many sets' endpoints are held. Making one costs microseconds, and nothing is kept in it."""


class Endpoints:
    """Serves each request at the endpoint whose path it has (ASGI)."""

    def __init__(self, application: Application, exchanges: McpExchanges, sets: Sets, observers: CallObservers) -> None:
        self._application = application
        self._exchanges = exchanges
        self._sets = sets
        self._observers = observers
        self._settings = load(AggregatorSettings)
        self._seconds = self._settings.one_endpoint_list_timeout
        self._wire = Wire(exchanges)
        self._slugs = Slugs(application)
        self._eras = Eras(application, self._wire, seconds=self._seconds)
        self._sessions = Sessions(application, self._wire, self._eras, seconds=self._seconds)
        fetching = Fetching(self._wire, self._eras, self._sessions, seconds=self._seconds)
        self._lists = Lists(application, self._settings, fetching, self._slugs)
        self._keys, self._levels, self._under_way = open_keys(application), Levels(), UnderWay()
        self._streams: Counter[str] = Counter()
        self._everything = self._build(Everything(application))
        self._by_slug: Bounded[str, OneEndpoint] = Bounded(_MOST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._find(scope["path_params"].get("slug"))(scope, receive, send)

    def _find(self, slug: str | None) -> OneEndpoint:
        """The endpoint of a set, whether or not there is such a set; without a slug that for all servers."""
        if slug is None:
            return self._everything
        if not is_slug(slug):
            raise HTTPException(404)
        found = self._by_slug.get(slug)
        if found is None:
            found = self._by_slug[slug] = self._build(OneSet(self._application, self._sets, slug))
        return found

    def _build(self, selection: Selection) -> OneEndpoint:
        names = Names(self._keys, selection.path)
        offers = Offers(self._lists, selection)
        connecting = Connecting(offers, self._exchanges)
        telling = Telling(
            self._application,
            self._wire,
            self._sessions,
            selection=selection,
            names=names,
            under_way=self._under_way,
            seconds=self._seconds,
        )
        calls = Calls(
            self._wire,
            eras=self._eras,
            sessions=self._sessions,
            targets=Targets(self._lists, offers, self._slugs, selection),
            telling=telling,
            names=names,
            levels=self._levels,
            under_way=self._under_way,
        )
        return OneEndpoint(
            self._application,
            self._settings,
            selection,
            own_sessions=OwnSessions(names),
            offers=offers,
            answering=Answering(self._lists, offers, connecting),
            connecting=connecting,
            calls=calls,
            telling=telling,
            levels=self._levels,
            watching=Watching(
                offers, self._streams, self._application.departures, seconds=self._settings.one_endpoint_look_seconds
            ),
            observers=self._observers,
        )

    async def close(self) -> None:
        """End what is under way."""
        await self._lists.close()
        await self._sessions.close()


@contextlib.asynccontextmanager
async def open_endpoints(application: Application) -> AsyncIterator[Endpoints]:
    """The endpoints of a running gateway.

    Raises:
        NotFound: nothing that is installed leads to MCP servers.
    """
    ways = application.services.mcp_servers
    if not ways:
        raise NotFound("no installed plugin leads to MCP servers", remedy="Install latchpin-proxy with pip.")
    exchanges, observers = await ways[0].open(application), await open_calls(application.services)
    endpoints = Endpoints(application, exchanges, await open_sets(application), observers)
    try:
        yield endpoints
    finally:
        await endpoints.close()
