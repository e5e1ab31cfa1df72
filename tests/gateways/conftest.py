"""A gateway registry over real parts: the memory store, the built-in cipher, the core's settings."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from latchpin.activity.activity import Activity
from latchpin.contracts import Grant
from latchpin.defaults.client_authentications import latchpin_client_authentications
from latchpin.defaults.grants import ClientCredentialsGrant
from latchpin.gateways.registry import GatewayRegistry, parse_gateway_body
from latchpin.model import JWT_BEARER, Caller, Gateway, Sealed, StoredToken
from latchpin.services import Services
from latchpin.settings.core import CoreSettings
from latchpin_enterprise.grant import JwtBearerGrant
from latchpin_enterprise.settings import EnterpriseSettings
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import SuiteContext
from latchpin_testing.clock import MovedClock
from latchpin_testing.sealing import SuiteCipher

from tests.records.stores import pieces_of

ADMIN = Caller("admin@example.com", is_admin=True)
ANN = Caller("ann@example.com")
BOB = Caller("bob@elsewhere.example")


@dataclass
class GatewaysUnderTest:
    """The registry, and what lies below it."""

    registry: GatewayRegistry
    records: MemoryRecordStore
    cipher: SuiteCipher
    clock: MovedClock
    services: Services

    async def create(self, **body) -> Gateway:
        return await self.registry.create(parse_gateway_body({"url": "https://mcp.example.com/mcp"} | body), ADMIN)

    async def change(self, gateway: Gateway, **body) -> Gateway:
        return await self.registry.change(gateway.id, parse_gateway_body(body), ADMIN)

    async def connect(self, gateway: Gateway, caller: Caller = ANN) -> None:
        """Keep a token, as after an authorization."""
        now = self.clock()
        token = StoredToken(
            id="t" * 32,
            gateway_id=gateway.id,
            user_id="sub",
            app_user_email=caller.email,
            issuer=gateway.pinned_issuer,
            resource=None,
            client_id="c",
            access_token=Sealed("x"),
            refresh_token=None,
            token_type="Bearer",
            scopes=(),
            expires_at=now,
            revision=1,
            needs_reauth=False,
            refresh_begun_at=None,
            created_at=now,
            updated_at=now,
        )
        await self.records.tokens.put(token, replacing=None)

    def secret_of(self, gateway: Gateway) -> str | None:
        from latchpin.clients.secrets import open_configured_secret

        return open_configured_secret(gateway, self.cipher)


def grants_with(settings: EnterpriseSettings) -> dict[str, Grant]:
    """Those that need no browser; nobody is asked for anything here."""
    context = SimpleNamespace(upstream=None, clock=None)
    return {"client_credentials": ClientCredentialsGrant(), JWT_BEARER: JwtBearerGrant(settings, context)}


@pytest.fixture
def gateways(tmp_path, monkeypatch) -> GatewaysUnderTest:
    monkeypatch.chdir(tmp_path)
    clock, cipher = MovedClock(), SuiteCipher()
    records = MemoryRecordStore(clock)
    services = Services(
        settings=CoreSettings(base_url="https://gw.example/prefix", auth_encryption_secret="s" * 32),
        clock=clock,
        instance_id="one",
        signer=None,
        cipher=cipher,
        pkce=None,
        states=None,
        state_backend=None,
        records=records,
        record_backend=None,
        context=SuiteContext(clock, records=records, cipher=cipher),
        **pieces_of(records, clock),
        upstream=None,
        registrars=(),
        identities=(),
        authentications={one.name: one for one in latchpin_client_authentications()},
        activity=Activity(clock),
        grants=grants_with(EnterpriseSettings()),
    )
    return GatewaysUnderTest(GatewayRegistry(services), records, cipher, clock, services)
