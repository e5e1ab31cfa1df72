"""Hot routes are served ahead of the framework, and nobody who asks can tell."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from latchpin.activity.logs import tear_down_logging
from latchpin.contracts.observers import Operation
from latchpin.errors import BackendUnavailable
from latchpin.sdk.web import HotRoute
from latchpin.web.dispatch import Dispatcher, GuardedApp
from latchpin.web.guard import install_guard
from latchpin.web.handlers import install_errors
from latchpin.web.limits import MAX_BODY_BYTES
from starlette.exceptions import HTTPException

from tests.support.gateway_in_process import ALICE, USER_HEADER, InnerGateway, connect, open_gateway
from tests.web.conftest import settings_of

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store", "latchpin_proxy")

ORIGIN = "http://localhost:4444"
HTML = {"accept": "text/html"}
JSON = {"content-type": "application/json"}
NOBODYS = "0" * 32


def by_framework_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "find", lambda _, __: None)


# -- the same answers, lines and observations --------------------------------------------------------

ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/health", {}),
    ("HEAD", "/health", {}),
    ("POST", "/health", {}),
    ("GET", "/health/", {}),
    ("GET", "/healthy", {}),
    ("GET", "//health", {}),
    ("GET", "/health", {"headers": {"content-length": "many"}}),
    ("GET", "/health?" + "x" * 17_000, {}),
    ("GET", "/health", {"headers": {"host": "elsewhere.example.com", **HTML}}),
    ("GET", "/health", {"headers": {"host": "elsewhere.example.com"}}),
    ("GET", "/oauth/authorize/{id}", {}),
    ("GET", "/oauth/authorize/{id}?next=/flows", {"headers": HTML}),
    ("HEAD", "/oauth/authorize/{id}", {}),
    ("POST", "/oauth/authorize/{id}", {"headers": HTML}),
    ("GET", "/oauth/authorize/{id}", {"headers": {USER_HEADER: ""}}),
    ("GET", "/oauth/authorize/{id}", {"headers": {USER_HEADER: "", **HTML}}),
    ("GET", "/oauth/authorize/{id}", {"headers": {"sec-purpose": "prefetch"}}),
    ("GET", "/oauth/authorize/{id}", {"headers": {"authorization": "Bearer forged"}}),
    ("GET", f"/oauth/authorize/{NOBODYS}", {"headers": HTML}),
    ("GET", "/oauth/authorize/no-id", {}),
    ("GET", "/oauth/authorize/", {}),
    ("GET", "/oauth/authorize/{id}/more", {}),
    ("GET", "/oauth/authorize/%2e%2e/health", {}),
    ("GET", "/oauth/callback", {}),
    ("GET", "/oauth/callback?state=forged&code=x", {"headers": HTML}),
    ("GET", "/oauth/callback/{id}?error=access_denied&state=forged", {}),
    ("POST", "/oauth/callback", {"headers": HTML, "data": {"state": "x"}}),
    ("POST", "/oauth/callback/{id}", {"data": {"state": "x"}}),
    ("PUT", "/oauth/callback", {}),
    ("POST", "/gateways/{id}/mcp", {"headers": JSON, "content": b'{"jsonrpc":"2.0","method":"x","id":1}'}),
    ("POST", "/gateways/{id}/mcp", {"headers": {USER_HEADER: "", **JSON}, "content": b"{}"}),
    ("POST", "/gateways/{id}/mcp", {"headers": {"origin": "https://evil.example.com", **JSON}, "content": b"{}"}),
    ("POST", f"/gateways/{NOBODYS}/mcp", {"headers": JSON, "content": b"{}"}),
    ("POST", "/gateways/{id}/mcp", {"headers": {"content-length": "many"}, "content": b"{}"}),
    ("GET", "/gateways/{id}/mcp", {"headers": HTML}),
    ("HEAD", "/gateways/{id}/mcp", {}),
    ("PUT", "/gateways/{id}/mcp", {"content": b"{}"}),
    ("GET", "/gateways/{id}", {"headers": {USER_HEADER: "admin@example.com"}}),
    ("GET", "/nothing", {}),
]

_VARIES = re.compile(r"[0-9a-f]{32}|[A-Za-z0-9_-]{30,}(?:\.[A-Za-z0-9_-]+)*|\d+\.\d+ms")


class Watching:
    """An observer that keeps what ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[Any, ...]] = []

    def begin(self, operation: Operation) -> Callable[[], None]:
        def end() -> None:
            if operation.kind == "request":
                self.ended.append((operation.name, operation.outcome, dict(operation.facts)))

        return end


def shown(answer: httpx.Response) -> tuple[Any, ...]:
    """What of an answer is the same each time."""
    headers = [(name, _VARIES.sub("*", value)) for name, value in answer.headers.multi_items()]
    lengths = [value for name, value in headers if name == "content-length"]  # a form's token is not always as long
    headers = [("content-length", "*") if name == "content-length" else (name, value) for name, value in headers]
    assert lengths in ([], [str(len(answer.content))]) or answer.request.method == "HEAD"
    return answer.status_code, headers, _VARIES.sub("*", answer.text)


async def everything_asked(
    gateway: InnerGateway, gateway_id: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> list[Any]:
    """Each answer with its access line and what observers were told."""
    watching, seen = Watching(), []
    gateway.application.services.observers.add("watching", watching)
    for method, path, options in ASKED:
        caplog.clear()
        watching.ended.clear()
        headers = {USER_HEADER: ALICE, **options.get("headers", {})}
        async with gateway.client(None) as client:
            url = ORIGIN + prefix + path.format(id=gateway_id)
            answer = await client.request(method, url, **{**options, "headers": headers})
        lines = [_VARIES.sub("*", record.getMessage()) for record in caplog.records if record.name == "latchpin.access"]
        assert len(lines) == len(watching.ended) == 1
        seen.append((method, path, shown(answer), lines, watching.ended[:]))
    return seen


@pytest.mark.parametrize(
    ("base", "prefix"),
    [("", ""), ("/tools", "/tools"), ("/tools", "")],
    ids=["without a prefix", "the prefix is passed on", "the prefix is stripped"],
)
async def test_every_answer_is_the_same_both_ways(environment, provider, caplog, base, prefix):
    environment.setenv("BASE_URL", ORIGIN + base)
    caplog.set_level(logging.INFO, "latchpin.access")
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        provider.forget()
        hot = await everything_asked(gateway, gateway_id, prefix, caplog)
        by_framework_alone(environment)
        for one, other in zip(hot, await everything_asked(gateway, gateway_id, prefix, caplog), strict=True):
            assert one == other
    tear_down_logging()
    statuses = {answer[0] for _, _, answer, _, _ in hot}
    assert {200, 302, 303, 307, 400, 401, 403, 404, 405, 414, 425} <= statuses
    routes = {facts["route"] for _, _, _, _, [(_, _, facts)] in hot}
    assert {"/health", "/oauth/authorize/{gateway_id}", "/oauth/callback", "/gateways/{gateway_id}/mcp"} <= routes


@pytest.mark.usefixtures("both_ways")
async def test_an_exchange_is_the_same_both_ways(environment, provider):
    """More than the guard lets other bodies have, so that it streams; and an answer that is one."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": {"padding": "x" * MAX_BODY_BYTES}}}
    async with open_gateway() as gateway:
        connected = await connect(gateway, provider)
        program = await connected.bearer() | {"Accept": "application/json, text/event-stream"}
        async with gateway.client(None, **program) as client:
            answer = await client.post(f"{ORIGIN}/gateways/{connected.id}/mcp", json=asked)
    tear_down_logging()
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert '"result":{}' in answer.text.replace(" ", "")


# -- what is hot, and what is not ----------------------------------------------------------------------


def named(name: str, error: BaseException | None = None) -> Any:
    async def endpoint(request: Request) -> Response:
        if error is not None:
            raise error
        return JSONResponse({"name": name, **request.path_params})

    return endpoint


class Half:
    """Plain ASGI that fails in the midst of its answer."""

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise BackendUnavailable("too late to say")


def app_with(*routes: HotRoute) -> FastAPI:
    app = GuardedApp(redirect_slashes=False)
    app.state.services = type("Services", (), {"settings": settings_of(), "observers": None})
    install_errors(app)
    app.router.routes.extend(routes)
    install_guard(app, settings_of(), routes)
    return app


@pytest.fixture
async def client():
    app = app_with(
        HotRoute("/a/{one}/{two:int}", named("first"), methods=["GET"]),
        HotRoute("/a/{one}/{two}", named("second"), methods=["GET", "POST"]),
        HotRoute("/fails/store", named("", BackendUnavailable("postgres.internal refused")), methods=["GET"]),
        HotRoute("/fails/framework", named("", HTTPException(418, "short and stout")), methods=["GET"]),
        HotRoute("/fails/unforeseen", named("", RuntimeError("a secret detail")), methods=["GET"]),
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://gateway.example.com") as opened:
        yield opened


@pytest.mark.usefixtures("both_ways")
async def test_the_first_route_that_fits_path_and_method_serves(client):
    assert (await client.get("/a/x/7")).json() == {"name": "first", "one": "x", "two": 7}
    assert (await client.get("/a/x/y")).json() == {"name": "second", "one": "x", "two": "y"}
    assert (await client.post("/a/x/7")).json() == {"name": "second", "one": "x", "two": "7"}
    refused = await client.put("/a/x/7")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
    assert (await client.get("/a/x/7/")).status_code == 404


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(("kind", "status"), [("store", 503), ("framework", 418), ("unforeseen", 500)])
async def test_a_failure_has_the_shape_of_all_failures(client, caplog, kind, status):
    answer = await client.get(f"/fails/{kind}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "postgres.internal" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("both_ways")
async def test_an_answer_that_breaks_off_is_not_begun_again(caplog):
    app = app_with(HotRoute("/late", Half(), methods=["GET"]))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/late", "query_string": b"", "headers": []}
    with pytest.raises((BackendUnavailable, RuntimeError)):
        await app(scope, None, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


def test_a_hot_route_begins_with_what_is_fixed():
    with pytest.raises(ValueError, match="fixed segment"):
        HotRoute("/{anything}", named("all"), methods=["GET"])


def test_head_does_not_come_with_get():
    assert HotRoute("/a", named("a"), methods=["GET"]).methods == {"GET"}


def test_a_path_that_was_asked_before_is_found_with_values_of_its_own():
    async def endpoint(scope: Any, receive: Any, send: Any) -> None: ...

    route = HotRoute("/things/{thing}", endpoint, methods=["GET"])
    dispatcher = Dispatcher(endpoint, [route], {})
    for method, path in [("GET", "/things/one"), ("GET", f"/things/{'x' * 1_000}")] * 2:
        scope = {"type": "http", "method": method, "path": path}
        assert dispatcher.find(scope) is route
        assert scope["path_params"].pop("thing") == path.removeprefix("/things/")  # type: ignore[attr-defined]
    assert dispatcher.find({"type": "http", "method": "POST", "path": "/things/one"}) is None
