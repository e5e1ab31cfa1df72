"""What stands in front of every request: one plain ASGI application, and next to no work for a good request.

It limits sizes and waiting, refuses what a default secret must not serve, sends browsers to BASE_URL, adds the
security headers, writes the access line (never with a query string), and turns what nobody foresaw into
an answer without a traceback.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute

from latchpin.activity.access_lines import access_lines
from latchpin.activity.observers import Observers
from latchpin.activity.recorder import current_flow
from latchpin.contracts import Operation
from latchpin.errors import LatchpinError
from latchpin.settings.core import CoreSettings
from latchpin.web import hosts
from latchpin.web.dispatch import BEGUN, LONGEST_KNOWN, MOST_KNOWN, Dispatcher, GuardedApp, HotRoute, route_path
from latchpin.web.errors import problem
from latchpin.web.limits import MAX_BODY_BYTES, SMALL_REST, RequestBody, StreamingRoute, body_too_large, check_sizes
from latchpin.web.pages import failure
from latchpin.web.traces import known_trace, log_failure, one_line, trace_of
from latchpin.workers.bounded import Bounded

__all__ = ["Guard", "install_guard"]

_log = logging.getLogger("latchpin.web")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_LEFT = 499
"""In the access line only: the client hung up before its request was whole."""

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_CSP = b"content-security-policy"
_CACHE = b"cache-control"
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_CARRIED = ((b"traceparent", "traceparent"), (b"tracestate", "tracestate"))
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


def install_guard(app: GuardedApp, settings: CoreSettings, routes: Iterable[BaseRoute] = ()) -> None:
    """Put the guard in front of ``app``, and behind it what serves hot routes.

    ``routes`` are those that stand out: of a ``HotRoute``, and of a ``StreamingRoute``, whose bodies are not limited
    here.
    """
    routes = list(routes)
    hot = [route for route in routes if isinstance(route, HotRoute)]
    streaming = [route for route in routes if isinstance(route, StreamingRoute)]
    app.front = Guard(Dispatcher(app.front, hot, app.exception_handlers), settings, streaming=streaming)


class Guard:
    """What the module says.

    BASE_URL's path prefix is set as ``root_path``: routes then match with the prefix (a proxy that passes
    paths on as they are) and without it (a proxy that strips it).
    """

    def __init__(
        self,
        app: App,
        settings: CoreSettings,
        *,
        streaming: Iterable[StreamingRoute] = (),
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._settings = settings
        self._timer = timer
        self._streaming = [route.path_regex for route in streaming]
        self._known: Bounded[str, bool] = Bounded(MOST_KNOWN)
        self._base_path = settings.base_path
        self._hosts = hosts.HostRules(settings)
        self._headers = [*_ALWAYS, _STRICT_TRANSPORT] if settings.secure else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope; lifespan and websocket pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        observers = _observers_of(scope)
        if not observers:
            await self._answer(scope, receive, send)
            return
        with observers.watch(_operation(scope)) as operation:
            status = await self._answer(scope, receive, send)
            operation.facts["route"], operation.facts["status"] = _route(scope), str(status)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status of its answer."""
        began, status = self._timer(), 0
        body = RequestBody(receive, scope)

        async def guarded_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status, scope[BEGUN] = message["status"], True
                message["headers"] = self._with_headers(message.get("headers", ()), last=_is_last(body, scope))
            elif not body.whole and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await body.drain()
                message = {"type": "http.response.body"}
            await send(message)

        try:
            await self._serve(scope, receive if body.whole else body, guarded_send, body)
        except ClientDisconnect:
            status = CLIENT_LEFT  # nobody is there to be answered, and nothing of ours failed
        except Exception as exc:
            self._log_unexpected(scope, exc)
            if status:  # the answer had begun: the server has to break the connection
                raise
            await self._refuse(LatchpinError(), scope, receive, guarded_send)
        finally:
            if access_lines.wanted:
                _write_access_line(scope, status, self._timer() - began)
        return status

    async def _serve(self, scope: Scope, receive: Receive, send: Send, body: RequestBody) -> None:
        headers = scope["headers"]
        try:
            declared = check_sizes(scope.get("raw_path") or scope["path"].encode(), scope["query_string"], headers)
            self._hosts.check(scope)
            if not body.whole and self._streams(scope):
                body.let_stream()
            elif declared > MAX_BODY_BYTES:
                raise body_too_large()
        except LatchpinError as exc:
            await self._refuse(exc, scope, receive, send)
            return
        if (elsewhere := self._hosts.redirect(scope)) is not None:
            await elsewhere(scope, receive, send)
            return
        if self._base_path:
            scope["root_path"] = self._base_path
        await self._app(scope, receive, send)

    def _streams(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(self._base_path)
        streams = self._known.get(path)
        if streams is None:
            streams = any(pattern.match(path) for pattern in self._streaming)
            if len(path) <= LONGEST_KNOWN:
                self._known[path] = streams
        return streams

    def _with_headers(self, headers: Any, *, last: bool) -> list[tuple[bytes, bytes]]:  # noqa: ANN401  any iterable, says ASGI
        sent = list(headers)
        names = {name for name, _ in sent}
        if _CSP not in names:
            sent.append((_CSP, CONTENT_SECURITY_POLICY))
        if _CACHE not in names:
            sent.append((_CACHE, b"no-store"))
        sent += self._headers
        if last and b"connection" not in names:
            sent.append((b"connection", b"close"))
        return sent

    async def _refuse(self, error: LatchpinError, scope: Scope, receive: Receive, send: Send) -> None:
        trace = trace_of(scope, error)
        if type(error) is not LatchpinError:
            log_failure(error, trace)
        retry = {"retry-after": "30"} if error.status == 503 else {}  # noqa: PLR2004
        if b"text/html" in hosts.read_header(scope, b"accept"):
            page = failure(error, detail=error.public, trace=trace, around={"base": self._base_path}, headers=retry)
            await page(scope, receive, send)
            return
        document = problem(error, base_url=self._settings.base_url, trace=trace, headers=retry)
        await document(scope, receive, send)

    def _log_unexpected(self, scope: Scope, exc: Exception) -> None:
        trace = trace_of(scope)
        _log.error(
            "Unexpected %s while serving %s %s [%s %s]",
            type(exc).__name__,
            scope["method"],
            _shown_path(scope),
            *trace,
            exc_info=exc,
            extra={trace.member: trace.id},
        )


def _is_last(body: RequestBody, scope: Scope) -> bool:
    """Whether an answer that begins now must be the connection's last: much of the body may still be to come."""
    if body.whole or not scope.get("http_version", "1.1").startswith("1"):
        return False
    return body.left is None or body.left > SMALL_REST


def _observers_of(scope: Scope) -> Observers | None:
    services = getattr(scope["app"].state, "services", None) if "app" in scope else None
    return None if services is None else services.observers


def _operation(scope: Scope) -> Operation:
    fields = dict(scope["headers"])
    carried = {name: fields[raw].decode("latin-1") for raw, name in _CARRIED if raw in fields}
    return Operation("request", scope["method"], carried=carried)


def _route(scope: Scope) -> str:
    """The path as the route has it, with names for what varies; empty where no route was found."""
    if "endpoint" not in scope:
        return ""
    known: str | None = getattr(scope.get("route"), "path", None)
    if known is not None:
        return known
    path = route_path(scope)
    for name, value in scope.get("path_params", {}).items():  # from the end: a value may read like the route's words
        before, slash, after = path.rpartition(f"/{value}")
        path = f"{before}/{{{name}}}{after}" if slash else path
    return path


def _write_access_line(scope: Scope, status: int, seconds: float) -> None:
    trace, client = known_trace(scope), scope.get("client")
    belongs, extra = "", {}
    if trace is not None:
        belongs, extra = f" {trace.kind} {trace.id}", {trace.member: trace.id}
    if (flow := current_flow()) is not None:
        extra.setdefault("flow_id", flow)
    address = client[0] if client else "-"
    access_lines.tell((address, scope["method"], _shown_path(scope), status, seconds * 1000, belongs), extra)


def _shown_path(scope: Scope) -> str:
    return one_line(scope["path"], 200)
