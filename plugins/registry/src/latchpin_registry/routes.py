"""The registry's routes: who asks, what they are shown, and that pages of other sites may read it.

A page may send no cookie of ours along (no ``Access-Control-Allow-Credentials``): it reads what everybody may, or what
a token opens that it has itself.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from latchpin.errors import InvalidRequest, LatchpinError, NotFound
from latchpin.model import Caller
from latchpin.sdk.settings import load
from latchpin.sdk.web import SignedInCaller, answer_program, application_of, problems, services_of

from latchpin_registry.documents import RegistryEntry, RegistryList
from latchpin_registry.entries import LATEST, VERSION, Entry, entries_of
from latchpin_registry.pages import MOST, PAGE, Question
from latchpin_registry.settings import RegistrySettings

__all__ = ["make_router"]

OPEN: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type",
}
"""What GitHub asks of a registry (Configure an MCP registry, cross-origin resource sharing)."""
EVERYBODY: Final = Caller("registry@localhost", is_admin=True, via="registry")
"""On whose behalf the whole list is read, where everybody may."""
RECENT = timedelta(seconds=1)
"""So old the list for everybody may be."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _OpenRoute(APIRoute):
    """A route that says in each answer, a failure's too, that pages of other sites may read it."""

    def get_route_handler(self) -> Handler:
        """FastAPI's own, with those words."""
        handle = super().get_route_handler()

        async def open_handler(request: Request) -> Response:
            base_url = services_of(request).settings.base_url
            try:
                response = await handle(request)
            except RequestValidationError as exc:
                return answer_program(request.scope, _invalid(exc), base_url=base_url, headers=OPEN)
            except LatchpinError as exc:
                return answer_program(request.scope, exc, base_url=base_url, headers=OPEN)
            response.headers.update(OPEN)
            return response

        return open_handler


ROOTS: Final = ("/v0.1/servers", "/v0/servers")
"""The second is what the API was called before; clients of that time ask there."""


def make_router() -> APIRouter:
    """A router with the registry: for everybody, or for who is signed in, as the setting says."""
    return _route(_Everything().show) if load(RegistrySettings).registry_public else _route_own()


@cache
def _route_own() -> APIRouter:
    return _route(_show_own, 401)


def _route(reader: Callable[..., Any], *refusals: int) -> APIRouter:
    """A router whose requests are all read by ``reader``, which may refuse them with these statuses."""
    router = APIRouter(route_class=_OpenRoute, tags=["metadata"])
    for root in ROOTS:
        for path, handler, summary, model in _ENDPOINTS:
            router.add_api_route(
                root + path,
                handler,
                dependencies=[Depends(reader)],
                summary=summary,
                response_model=None,
                responses={200: {"model": model}, **problems(*refusals, *((404,) if path else ()))},
                include_in_schema=root == ROOTS[0],
            )
            router.add_api_route(root + path, allow_pages, methods=["OPTIONS"], include_in_schema=False)
    return router


class _Everything:
    """What everybody is shown, read once a second at most: strangers must not keep the store busy."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._until: datetime | None = None

    async def show(self, request: Request) -> None:
        """Show all to whoever asks."""
        now = application_of(request).services.clock()
        if self._until is None or not self._until - RECENT <= now < self._until:  # a clock may be set back
            self._entries, self._until = await _read(request, EVERYBODY), now + RECENT
        request.state.entries = self._entries


async def _show_own(request: Request, caller: SignedInCaller) -> None:
    """Show the caller what they may use."""
    request.state.entries = await _read(request, caller)


async def _read(request: Request, caller: Caller) -> list[Entry]:
    application = application_of(request)
    return entries_of(await application.list_resources(caller), application.services.settings.base_url)


async def list_servers(  # noqa: PLR0917  what the API takes
    request: Request,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1)] = PAGE,
    search: str = "",
    updated_since: str = "",
    version: str = "",
) -> Response:
    """The MCP endpoints that the caller may use, by name; with ``REGISTRY_PUBLIC`` all of them, for everybody.

    ``cursor`` goes on where a page ended, with that page's question. A page has at most 100.
    """
    asked = Question.read(cursor) if cursor else Question(search.strip(), updated_since, version)
    page = asked.find(request.state.entries, limit=min(limit, MOST))
    metadata: dict[str, Any] = {"count": len(page.entries)}
    if page.next_cursor is not None:
        metadata["nextCursor"] = page.next_cursor
    return _answer({"servers": [entry.describe() for entry in page.entries], "metadata": metadata})


async def list_versions(request: Request, namespace: str, name: str) -> Response:
    """The versions of one MCP endpoint: there is one."""
    found = _find(request.state.entries, namespace, name)
    return _answer({"servers": [found.describe()], "metadata": {"count": 1}})


async def show_version(request: Request, namespace: str, name: str, version: str) -> Response:
    """One MCP endpoint; ``latest`` is a version too."""
    found = _find(request.state.entries, namespace, name)
    if version not in {LATEST, VERSION}:
        raise NotFound("there is no such version")
    return _answer(found.describe())


async def allow_pages() -> Response:
    """Let pages of other sites ask (the CORS protocol's preflight)."""
    return Response(status_code=204)


_ENTRY = "/{namespace}/{name}/versions"
_ENDPOINTS: Final = (
    ("", list_servers, "List MCP endpoints as a registry", RegistryList),
    (_ENTRY, list_versions, "List an MCP endpoint's versions", RegistryList),
    (_ENTRY + "/{version}", show_version, "Read an MCP endpoint's entry", RegistryEntry),
)


def _find(entries: list[Entry], namespace: str, name: str) -> Entry:
    wanted = f"{namespace}/{name}"
    for entry in entries:
        if entry.name == wanted:
            return entry
    raise NotFound("there is no MCP endpoint of that name here, or none that you may use")


def _answer(document: dict[str, Any]) -> Response:
    return JSONResponse(document, headers={"cache-control": "no-store"})


def _invalid(error: RequestValidationError) -> InvalidRequest:
    first = error.errors()[0]
    return InvalidRequest(f"{first['loc'][-1]}: {first['msg']}")
