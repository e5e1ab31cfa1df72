"""A small gateway for the tests of the web's parts: real identities, cipher and records, and a few routes."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from latchpin.activity.activity import Activity
from latchpin.activity.observers import Observers
from latchpin.application import Application
from latchpin.contracts import Upstream
from latchpin.defaults.aes_gcm import AesGcmCipher
from latchpin.errors import BackendUnavailable, LatchpinError, UpstreamUnreadable
from latchpin.identity.settings import BearerSettings, TrustedProxySettings
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.identity.sources import open_bearer, open_proxy, open_session_cookie
from latchpin.model import Evidence
from latchpin.records.writes import RecordWrites
from latchpin.services import Services
from latchpin.settings.core import CoreSettings
from latchpin.web.csrf import check_csrf
from latchpin.web.dispatch import GuardedApp
from latchpin.web.guard import install_guard
from latchpin.web.handlers import install_errors
from latchpin.web.identity import current_caller, require_admin, require_caller
from latchpin.web.routes_pages import router as pages_router
from latchpin.web.routes_people import router as people_router
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock, SuiteContext
from pydantic import BaseModel

from tests.records.stores import pieces_of

SECRET = "a-secret-of-more-than-thirty-two-bytes-for-tests"
BASE = "https://gateway.example.com"
HTML = {"accept": "text/html,application/xhtml+xml"}
SAME_ORIGIN = {"sec-fetch-site": "same-origin", "origin": "null"}


class Body(BaseModel):
    """What POST /echo takes."""

    number: int


@dataclass
class SmallGateway:
    """One application with what is behind it."""

    app: FastAPI
    services: Services
    clock: MovedClock
    signed_tokens: SignedTokens

    def client(self, *, peer: str = "203.0.113.7", base_url: str | None = None, **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(peer, 5000))
        return httpx.AsyncClient(transport=transport, base_url=base_url or self.services.settings.base_url, **options)

    async def bearer(self, email: str, *, admin: bool = False) -> dict[str, str]:
        token = await self.signed_tokens.create_bearer(email, admin, timedelta(hours=1))
        return {"authorization": f"Bearer {token}"}


def settings_of(**values: Any) -> CoreSettings:
    values = {"auth_encryption_secret": SECRET, "base_url": BASE, "host": "0.0.0.0", **values}
    return CoreSettings(_env_file=None, **values)


@contextlib.asynccontextmanager
async def open_gateway(
    *,
    clock: MovedClock | None = None,
    upstream: Upstream | None = None,
    records: Any = None,
    sign_ins: Any = (),
    identities: Any = (),
    **values: Any,
) -> AsyncIterator[SmallGateway]:
    settings, clock = settings_of(**values), clock or MovedClock()
    records = records or MemoryRecordStore(clock)
    cipher = cipher_of(settings.auth_encryption_secret.get_secret_value())
    context = SuiteContext(
        clock, base_url=settings.base_url, records=records, cipher=cipher, upstream=upstream or object()
    )
    bearer = BearerSettings(_env_file=None, **{name: getattr(settings, name) for name in BearerSettings.model_fields})
    proxy = TrustedProxySettings(
        _env_file=None, **{name: getattr(settings, name) for name in TrustedProxySettings.model_fields}
    )
    async with (
        open_bearer(bearer, context) as a,
        open_session_cookie(bearer, context) as b,
        open_proxy(proxy, context) as c,
    ):
        services = services_with(
            settings=settings,
            clock=clock,
            records=records,
            cipher=cipher,
            identities=[*identities, a, b, c],
            groups={},
            activity=Activity(clock),
            context=context,
            sign_ins=sign_ins,
            **pieces_of(context.records, clock),
            writes=RecordWrites(),
            observers=Observers(),
            upstream=context.upstream,
            registrars=(),
            authentications={},
            grants={},
            auth_schemes={},
            connection_observers={},
            providers=(),
            tool_gates={},
            scope_ceilings={},
            states=None,
            state_backend=None,
            record_backend=SimpleNamespace(name="memory"),
            instance_id="one",
        )
        yield SmallGateway(build_app(services), services, clock, SignedTokens.of(services))


def services_with(**values: Any) -> Services:
    """Services of which only the given ones are there: touching another one fails the test."""
    services = object.__new__(Services)
    for name, value in values.items():
        object.__setattr__(services, name, value)
    return services


def cipher_of(secret: str, *old: str) -> AesGcmCipher:
    return AesGcmCipher(SuiteContext(secrets=(secret, *old)).keys("sealing"))


def build_app(services: Services) -> FastAPI:
    app = GuardedApp(openapi_url=None)
    app.state.services = services
    app.state.application = Application(services)
    install_errors(app)
    install_guard(app, services.settings)
    app.include_router(people_router)
    app.include_router(pages_router)
    _add_routes(app)
    return app


def _add_routes(app: FastAPI) -> None:
    @app.get("/me")
    async def me(request: Request) -> dict[str, Any]:
        caller = await require_caller(request)
        return {"email": caller.email, "is_admin": caller.is_admin, "via": caller.via}

    @app.get("/anybody")
    async def anybody(request: Request) -> dict[str, Any]:
        caller = await current_caller(request)
        return {"email": caller.email if caller else None}

    @app.get("/oauth/registered-clients")
    async def admin_only(request: Request) -> dict[str, Any]:
        await require_admin(request)
        return {"clients": []}

    @app.post("/act")
    async def act(request: Request) -> dict[str, Any]:
        await check_csrf(request, await require_caller(request))
        return {"done": True}

    @app.post("/echo")
    async def echo(body: Body) -> Body:
        return body

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a detail that nobody outside may see")

    @app.get("/fails/{kind}")
    async def fails(kind: str) -> None:
        make = FAILURES[kind]
        raise make()


FAILURES: dict[str, Any] = {
    "store": lambda: BackendUnavailable("postgres.internal:5432 refused the connection"),
    "provider": lambda: UpstreamUnreadable("it said <script>alert(1)</script>"),
    "logged": lambda: _logged(UpstreamUnreadable("told before")),
}


def _logged(error: LatchpinError) -> LatchpinError:
    error.logged = True
    return error


@pytest.fixture
async def gateway():
    async with open_gateway() as opened:
        yield opened


@pytest.fixture
async def client(gateway):
    async with gateway.client() as opened:
        yield opened


# Bearer tokens for tests, good and forged.


def evidence(*authorizations):
    return Evidence(peer="203.0.113.7", headers={"authorization": authorizations} if authorizations else {}, cookies={})


async def identify(gateway, token):
    return await gateway.services.identities[0].identify(evidence(f"Bearer {token}"))


def claims_at(clock, **changes):
    now = int(clock().timestamp())
    claims = {"iss": BASE, "aud": BASE, "exp": now + 600, "email": "ada@example.com", **changes}
    return {name: value for name, value in claims.items() if value is not None}


def unsigned(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
