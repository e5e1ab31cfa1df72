"""The route: who calls, what they ask, and by whom it is answered. A plain ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import Response
from latchpin.contracts import McpCall
from latchpin.errors import LatchpinError, NotSignedIn
from latchpin.model import VIA_ACCESS_TOKEN, Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.mcp import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND
from latchpin.sdk.web import answer_program, build_challenge, read_header, require_program
from latchpin_mcp.calls import CallObservers, WatchedCall
from latchpin_mcp.message import Message, Refused, parse_message
from starlette.exceptions import HTTPException

from latchpin_aggregator.answering import LISTED, Answering, answer_text
from latchpin_aggregator.calls import Call, Calls
from latchpin_aggregator.connecting import CONNECT, Connecting
from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.levels import LEVELS, Levels
from latchpin_aggregator.offers import Offers
from latchpin_aggregator.own_sessions import OwnSessions
from latchpin_aggregator.profiles import Profile
from latchpin_aggregator.reading import read_body
from latchpin_aggregator.selection import Selection
from latchpin_aggregator.settings import AggregatorSettings
from latchpin_aggregator.telling import Telling
from latchpin_aggregator.watching import Watching
from latchpin_aggregator.wire import Asked

__all__ = ["OneEndpoint"]

PROMPT = 0.25
"""Within so many seconds a body comes whose sender is not judged again."""
_PASSED_ON = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
_ALLOWED = {"allow": "POST, GET"}
_JSON = [(b"content-type", b"application/json")]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class OneEndpoint:
    """One URL for several servers: for those that ``selection`` shows."""

    def __init__(
        self,
        application: Application,
        settings: AggregatorSettings,
        selection: Selection,
        *,
        own_sessions: OwnSessions,
        offers: Offers,
        answering: Answering,
        connecting: Connecting,
        calls: Calls,
        telling: Telling,
        levels: Levels,
        watching: Watching,
        observers: CallObservers,
    ) -> None:
        self._core = application.services.settings
        self._observers = observers
        self._settings = settings
        self._selection = selection
        self._own_sessions = own_sessions
        self._offers = offers
        self._answering = answering
        self._connecting = connecting
        self._calls = calls
        self._telling = telling
        self._levels = levels
        self._watching = watching

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        caller: Caller | None = None
        message: Message | None = None
        watched: WatchedCall | None = None
        try:
            caller = await require_program(scope, self._core, self._selection.path)
            if not await self._selection.is_for(caller):
                raise HTTPException(404)
            if scope["method"] != "POST":
                await self._listen(caller, Asked(scope, receive, send))
                return
            if self._observers:
                watched = self._watch(caller, scope, send)
                receive, send = watched.noting(receive), watched.send
            began = asyncio.get_running_loop().time()
            body = await read_body(receive, most=self._settings.one_endpoint_max_request_bytes)
            if asyncio.get_running_loop().time() - began >= PROMPT:  # they may have been ended since
                caller = await require_program(scope, self._core, self._selection.path)
            if watched is not None:
                watched.read(body)
            message = parse_message(body, scope["headers"])
            await self._serve(message, caller, Asked(scope, receive, send, watched=watched))
        except Refused as exc:
            _mark(watched, str(exc.code))
            await _answer(_refusal(exc), send, status=_status(exc, message))
        except LatchpinError as exc:
            _mark(watched, exc.code)
            await self._problem(exc, scope, caller)(scope, receive, send)
        finally:
            if watched is not None:
                await watched.end()

    def _watch(self, caller: Caller, scope: Scope, send: Send) -> WatchedCall:
        return self._observers.watch(McpCall("server", caller, self._selection.path), send, scope["headers"])

    async def _serve(self, message: Message, caller: Caller, asked: Asked) -> None:
        send = asked.send
        if message.method == "initialize" and message.era == "sessions" and message.id is not None:
            await self._begin(message, caller, send)
            return
        profile = await self._profile(message, caller)
        if message.method is None or message.id is None:
            if profile is not None:
                await self._telling.tell(message, caller, profile)
            await send({"type": "http.response.start", "status": HTTPStatus.ACCEPTED, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif message.method == "subscriptions/listen" and profile is None:
            await self._watching.serve_subscription(message, caller, asked)
        elif message.method in _PASSED_ON and not _is_own(message):
            await self._calls.serve(Call.of(message, caller, profile, asked))
        else:
            text = await self._own(message, caller, profile)
            if asked.watched is not None and message.method in LISTED:
                asked.watched.mark("ok")  # that is known, and a list is long
            await _answer(text, send)

    async def _listen(self, caller: Caller, asked: Asked) -> None:
        """Serve the stream of a program with sessions; what is no such stream is not there."""
        name = read_header(asked.scope, b"mcp-session-id")
        if asked.scope["method"] != "GET" or not name:
            raise HTTPException(405, headers=_ALLOWED)
        await self._own_sessions.read(name.decode("latin-1"), caller)
        await self._watching.serve_session(caller, asked)

    async def _begin(self, message: Message, caller: Caller, send: Send) -> None:
        """Begin a session, and have the lists ready when they are asked for."""
        profile = Profile.of({name: part.value for name, part in message.params.items()})
        name = await self._own_sessions.begin(caller, profile)
        await self._offers.get(caller, wait=0)
        await _answer(self._answering.initialize(message, profile), send, more=[(b"mcp-session-id", name.encode())])

    async def _profile(self, message: Message, caller: Caller) -> Profile | None:
        """The profile of the program's session; None with 2026-07-28, which has none."""
        if message.era == "modern":
            return None
        name = message.headers.get("mcp-session-id")
        if name is None:
            raise Refused(INVALID_REQUEST, "begin a session first: initialize", id=message.id, status=400)
        profile = await self._own_sessions.read(name, caller)
        if message.version not in {"", profile.version}:
            raise Refused(INVALID_REQUEST, "the session has another protocol version", id=message.id, status=400)
        return profile

    async def _own(self, message: Message, caller: Caller, profile: Profile | None) -> str:
        """The answer to what is asked of the endpoint itself."""
        method = message.method or ""
        if (kind := LISTED.get(method)) is not None:
            return await self._answering.list(message, kind, caller)
        if method == "server/discover" and message.era == "modern":
            await self._offers.get(caller, wait=0)
            return self._answering.discover(message)
        if method == "tools/call":
            return answer_text(message, dump(await self._connecting.call(message, caller)))
        if method == "ping" and profile is not None:
            return answer_text(message, "{}")
        if method == "logging/setLevel" and profile is not None:
            await self._set_level(message, caller, profile)
            return answer_text(message, "{}")
        raise Refused(METHOD_NOT_FOUND, f"{method[:100]!a} is not served here", id=message.id)

    async def _set_level(self, message: Message, caller: Caller, profile: Profile) -> None:
        level = message.param("level")
        if level not in LEVELS:
            raise Refused(INVALID_PARAMS, f"params.level is none of {', '.join(LEVELS)}", id=message.id)
        self._levels.set(message.headers["mcp-session-id"], level)
        await self._telling.set_level(level, caller, profile)

    def _problem(self, error: LatchpinError, scope: Scope, caller: Caller | None) -> Response:
        headers = {}
        if error.status == HTTPStatus.UNAUTHORIZED:
            refused = isinstance(error, NotSignedIn) and bool(read_header(scope, b"authorization"))
            again = caller is not None and caller.via == VIA_ACCESS_TOKEN
            parameters = {"error": "invalid_token"} if refused or again else {}
            headers["www-authenticate"] = build_challenge(self._core.base_url, self._selection.path, **parameters)
        return answer_program(scope, error, base_url=self._core.base_url, headers=headers)


def _mark(watched: WatchedCall | None, code: str) -> None:
    if watched is not None:
        watched.mark("refused", code)


def _is_own(message: Message) -> bool:
    return message.method == "tools/call" and message.param("name") == CONNECT


def _refusal(exc: Refused) -> str:
    error: dict[str, Any] = {"code": exc.code, "message": exc.text}
    if exc.data is not None:
        error["data"] = dict(exc.data)
    return dump({"jsonrpc": "2.0", "id": exc.id, "error": error})


def _status(exc: Refused, message: Message | None) -> int:
    """A program with sessions takes another status than 200 for the end of its session, or of everything."""
    in_session = message is not None and message.era == "sessions" and exc.code != INVALID_REQUEST
    return HTTPStatus.OK if in_session else exc.status


async def _answer(text: str, send: Send, *, status: int = 200, more: list[tuple[bytes, bytes]] | None = None) -> None:
    body = text.encode("utf-8", "surrogatepass")
    headers = [*_JSON, (b"content-length", str(len(body)).encode()), *(more or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
