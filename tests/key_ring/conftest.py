"""What the tests of keys share: processes over one store, each with settings of its own, and rows of every kind."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from latchpin.application import Application
from latchpin.assembly.assembling import assemble
from latchpin.clients.secrets import open_configured_secret, open_registered_secret, seal_client, seal_configured_secret
from latchpin.contracts import Context, Registration, RegistrationRequest
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller, ClientCredentials, Document, ServerMetadata, StoredToken, TokenGrant
from latchpin.plugins.hookspecs import SIDE_BY_SIDE
from latchpin.plugins.host import Plugins
from latchpin.services import Services
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.tokens.sealing import build_token, open_token
from latchpin.workers.keys import random_keys
from latchpin_key_ring import live
from latchpin_key_ring.counting import Counts, count_rows, uses_of
from latchpin_key_ring.live import LiveRing, live_ring
from latchpin_key_ring.reporting import Report, report_on
from latchpin_key_ring.rotating import announce, promote

from tests.servers import GatewayBackend
from tests.support.gateway_in_process import ADMIN, MovedClock

NEEDS = ("latchpin_audit", "latchpin_authorization_server", "latchpin_key_ring")
ADMINISTRATOR = Caller(ADMIN, is_admin=True, via="local")
ISSUER, PROVIDER = "https://as.example.com", "https://idp.example.com"
FIRST, SECOND = "the first secret of the tests, of 40 bytes", "the second secret of the tests, of 40 bytes"


@dataclass(frozen=True)
class Process:
    """One process of the gateway.

    Attributes:
        application: what its commands and pages see.
        ring: as it has it; with KEY_SOURCE=settings, it must not be asked for.
    """

    application: Application
    clock: MovedClock
    live: LiveRing | None

    @property
    def services(self) -> Services:
        return self.application.services

    @property
    def context(self) -> Context:
        return self.services.context

    @property
    def ring(self) -> LiveRing:
        assert self.live is not None
        return self.live

    @property
    def key(self) -> str:
        """The name of the key that it seals under now."""
        return self.services.cipher.key_id

    async def count(self) -> Counts:
        return await count_rows(self.context, uses_of(self.services))

    async def report(self) -> Report:
        return report_on(self.context, self.live, await self.count())

    async def rotate(self, *others: Process) -> str:
        """Make a new key today's here and at ``others``."""
        key = await announce(self.ring, self.context)
        for each in others:
            await each.look()
        assert await promote(self.ring, self.context)
        for each in others:
            await each.look()
        return key.id

    async def look(self) -> None:
        """Look at the ring, as it does every second."""
        await self.ring.refresh()
        await self.ring.say()


Open = Callable[..., AbstractAsyncContextManager[Process]]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def opening(on_backend: GatewayBackend, environment: pytest.MonkeyPatch, clock: MovedClock) -> Open:
    """Opens a process on the test's store; it looks at the ring when the test says so."""
    environment.setattr(live, "LOOKS", 3600.0)

    @contextlib.asynccontextmanager
    async def opened(*, secret: str = FIRST, old: str = "[]", source: str = "ring") -> AsyncIterator[Process]:
        environment.setenv("AUTH_ENCRYPTION_SECRET", secret)
        environment.setenv("AUTH_ENCRYPTION_SECRETS_OLD", old)
        environment.setenv("KEY_SOURCE", source)
        plugins = Plugins().without(SIDE_BY_SIDE)
        async with assemble(plugins, load(CoreSettings), clock=clock) as services:
            application = Application(services)
            ring = await live_ring(services.context) if source == "ring" else None
            yield Process(application, clock, ring)
            await application.close()

    return opened


# -- rows of every kind ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """What was kept: it must be the same whatever its key."""

    gateway_id: str
    shared: tuple[bytes, ...]
    pseudonym: str

    async def require(self, process: Process) -> None:
        """Every one of them opens, with what was sealed into it."""
        services, cipher = process.services, process.services.cipher
        gateway = await services.records.gateways.get(self.gateway_id)
        assert gateway is not None
        assert open_configured_secret(gateway, cipher) == "configured"
        assert open_configured_secret(gateway, cipher, column="identity_provider_client_secret") == "at the provider"
        (client,) = await services.records.clients.list()
        assert open_registered_secret(client, cipher) == "registered"
        for label in ("", "work"):
            token = await services.records.tokens.get(self.gateway_id, "alice@example.com", label)
            assert token is not None
            opened = open_token(cipher, token)
            assert (opened.access_token, opened.refresh_token) == (f"access {label}", f"refresh {label}")
        assert await random_keys(services.kept, cipher, "bearer") == self.shared
        from latchpin_audit.pseudonyms import Pseudonyms
        from latchpin_authorization_server.grants.records import GRANTS

        names = Pseudonyms(services.kept, cipher)
        assert await names.find("alice@example.com") == self.pseudonym
        assert await names.name_of(self.pseudonym) == "alice@example.com"
        grant = await process.context.collection(GRANTS).get("grant")
        assert grant is not None
        assert grant.body["successor"] == "the successor"


def token_for(
    process: Process, gateway_id: str, email: str, label: str = "", *, secret: str | None = None
) -> StoredToken:
    """A token that is good for an hour, with its label, or ``secret``, in what is sealed."""
    secret = label if secret is None else secret
    now = process.clock()
    return build_token(
        process.services.cipher,
        TokenGrant(f"access {secret}", "Bearer", now + timedelta(hours=1), refresh_token=f"refresh {secret}"),
        gateway_id=gateway_id,
        app_user_email=email,
        issuer=ISSUER,
        resource=None,
        client_id="client",
        scopes=(),
        earlier=None,
        now=now,
        label=label,
    )


async def add_gateway(process: Process) -> str:
    """An entry with a secret in two of its fields."""
    config = {"issuer": ISSUER, "client_id": "client", "client_secret": "configured"}
    body = parse_gateway_body({"url": "https://mcp.example.com/mcp", "oauth_config": config})
    made = await process.application.gateways.create(body, ADMINISTRATOR)
    assert made.oauth is not None
    column = "identity_provider_client_secret"
    sealed = seal_configured_secret(
        "at the provider", gateway_id=made.id, issuer=PROVIDER, cipher=process.services.cipher, column=column
    )
    oauth = replace(made.oauth, identity_provider=PROVIDER, identity_provider_client_secret=sealed)
    await process.services.records.gateways.replace(replace(made, oauth=oauth, revision=made.revision + 1))
    return made.id


async def fill(process: Process) -> Rows:
    """Keep one row of every kind, sealed under the key of now."""
    services, cipher = process.services, process.services.cipher
    gateway_id = await add_gateway(process)
    gateway = await services.records.gateways.get(gateway_id)
    assert gateway is not None
    for label in ("", "work"):
        token = token_for(process, gateway_id, "alice@example.com", label)
        await services.records.tokens.put(token, replacing=None)
    registration = Registration(
        ClientCredentials("registered client", "registered", "client_secret_basic"), (), (), "", None, "manages", None
    )
    server = ServerMetadata(ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token")
    request = RegistrationRequest(gateway, server, "", (), None, None)
    client = seal_client(request, registration, cipher, id="c" * 32, now=process.clock())
    await services.records.clients.put(client)
    from latchpin_audit.pseudonyms import Pseudonyms
    from latchpin_authorization_server.grants.records import GRANTS

    pseudonym = await Pseudonyms(services.kept, cipher).of("alice@example.com")
    await process.context.collection(GRANTS).put(Document("grant", {"successor": "the successor", "other": 1}))
    return Rows(gateway_id, await random_keys(services.kept, cipher, "bearer"), pseudonym)
