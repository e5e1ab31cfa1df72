"""A small authorization server that registers and forgets clients, and does as it is told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import RecordStore
from latchpin.defaults.registrar_static import StaticRegistrar
from latchpin.model import Gateway, OAuthConfig, ServerMetadata
from latchpin.outbound.upstream import HttpUpstream, open_upstream
from latchpin.records.kept import KeyValues
from latchpin.settings.core import CoreSettings
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses
from latchpin_dcr.registrar import DynamicRegistrar
from latchpin_dcr.settings import DcrSettings
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing.clock import START, MovedClock
from latchpin_testing.sealing import SuiteCipher
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.processes import serve_asgi

Answer = Callable[[dict], tuple[int, object]]


class RegistrationServer:
    """Counts what it is asked. ``answer`` replaces its ordinary reply to a registration."""

    def __init__(self) -> None:
        self.base = ""
        self.asked: list[dict] = []
        self.forgotten: list[tuple[str, str]] = []
        self.answer: Answer | None = None
        self.forget_status = 204
        self.clients: dict[str, dict] = {}
        self.updates: list[dict] = []
        self.answer_update: Answer | None = None
        self._lock = threading.Lock()
        self.app = Starlette(
            routes=[
                Route("/register", self._register, methods=["POST"]),
                Route("/register/{client_id}", self._forget, methods=["DELETE"]),
                Route("/register/{client_id}", self._update, methods=["PUT"]),
            ]
        )

    def reply_to(self, wishes: dict) -> dict:
        """The ordinary client information response (RFC 7591 section 3.2.1)."""
        number = len(self.asked)
        reply = dict(wishes)
        reply |= {
            "client_id": f"client-{number}",
            "registration_client_uri": f"{self.base}/register/client-{number}",
            "registration_access_token": f"manage-{number}",
        }
        if wishes["token_endpoint_auth_method"] != "none":
            reply |= {"client_secret": f"secret-{number}", "client_secret_expires_at": 0}
        self.clients[reply["client_id"]] = dict(reply)
        return reply

    async def _register(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/json"
        wishes = await request.json()
        with self._lock:
            self.asked.append(wishes)
            status, body = (201, self.reply_to(wishes)) if self.answer is None else self.answer(wishes)
        if isinstance(body, bytes):
            return Response(body, status, media_type="text/html")
        return JSONResponse(body, status)

    async def _update(self, request: Request) -> Response:
        """As RFC 7592 section 2.2 wants it; each update takes the token and the secret that came before away."""
        assert request.headers["content-type"] == "application/json"
        wishes, client = await request.json(), self.clients[request.path_params["client_id"]]
        with self._lock:
            if request.headers["authorization"] != f"Bearer {client['registration_access_token']}":
                return JSONResponse({"error": "invalid_token"}, 401)
            assert (wishes["client_id"], wishes.get("client_secret")) == (
                client["client_id"],
                client.get("client_secret"),
            )
            assert not [name for name in wishes if name.startswith("registration_") or name.endswith("_at")]
            self.updates.append(wishes)
            if self.answer_update is not None:
                status, body = self.answer_update(wishes)
                return JSONResponse(body, status)
            number = len(self.updates)
            client |= wishes | {"registration_access_token": f"manage-again-{number}"}
            if "client_secret" in client:
                client["client_secret"] = f"secret-again-{number}"
            return JSONResponse(client)

    async def _forget(self, request: Request) -> Response:
        self.forgotten.append((request.path_params["client_id"], request.headers["authorization"]))
        return Response(status_code=self.forget_status)


# The registration server on a real uvicorn, the real way to it, and a directory over real parts.


CALLBACK = "http://localhost:4444/oauth/callback"


@pytest.fixture(autouse=True)
def _no_env_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[RegistrationServer]:
    one = RegistrationServer()
    with serve_asgi(one.app) as base:
        one.base = base
        yield one


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with open_upstream(CoreSettings(oauth_allow_private_networks=True, oauth_request_timeout=60)) as one:
        yield one


@pytest.fixture
def metadata(server) -> ServerMetadata:
    return ServerMetadata(
        issuer=f"{server.base}/issuer",
        authorization_endpoint=f"{server.base}/authorize",
        token_endpoint=f"{server.base}/token",
        registration_endpoint=f"{server.base}/register",
    )


def a_gateway(now: datetime = START, **config) -> Gateway:
    return Gateway(
        id="0" * 32,
        name="Files",
        url="https://mcp.example/mcp",
        auth_type="oauth",
        allowed_users=(),
        oauth=replace(OAuthConfig(), **config),
        pinned_issuer=None,
        revision=1,
        created_at=now,
        updated_at=now,
    )


@dataclass
class Directories:
    """A directory and what it stands on."""

    records: RecordStore
    cipher: SuiteCipher
    clock: MovedClock
    registrars: list
    pauses: list[float]
    released: asyncio.Event | None = None
    kept: KeyValues = field(init=False)

    def __post_init__(self) -> None:
        self.kept = KeyValues(self.records)

    def wait_for_release(self) -> None:
        """From now on a pause lasts until a lease is given back, instead of no time at all."""
        kept, released = self.kept, asyncio.Event()
        take = kept.take

        async def take_and_tell(name, *, value=None):
            taken = await take(name, value=value)
            released.set()
            return taken

        kept.take = take_and_tell
        self.released = released

    def directory(self) -> ClientDirectory:
        """One as another process would have: it shares the records only."""
        return ClientDirectory(
            records=self.records,
            kept=self.kept,
            leases=Leases(self.kept, self.clock, pause=self._pause),
            pauses=Pauses(self.kept, self.clock),
            cipher=self.cipher,
            registrars=self.registrars,
            clock=self.clock,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await (asyncio.sleep(0) if self.released is None else self.released.wait())


@pytest.fixture
def dcr(upstream) -> Callable[..., DynamicRegistrar]:
    def make(**settings) -> DynamicRegistrar:
        return DynamicRegistrar(DcrSettings(**settings), upstream, MovedClock())

    return make


@pytest.fixture
async def directories(dcr) -> Directories:
    clock = MovedClock()
    records = MemoryRecordStore(clock)
    for id_ in ("0" * 32, "1" * 32, "2" * 32):  # a client belongs to a gateway that there is
        await records.gateways.put(replace(a_gateway(), id=id_))
    return Directories(records, SuiteCipher(), clock, [StaticRegistrar(), dcr()], [])


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that nobody listens on: bound, and never put to listen."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]
