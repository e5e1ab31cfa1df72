"""What these tests share: connections that need somebody, and a receiver of webhooks that checks what it is sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from latchpin.application import Application
from latchpin.model import Gateway, StoredToken, TokenGrant
from latchpin.tokens.sealing import build_token
from latchpin_demo.loopback import bind, url_of

from tests.proxy.conftest import read, reply
from tests.servers import serve_asgi
from tests.token_refresh.conftest import add_gateway

DAY = timedelta(days=1)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()
PATIENCE = 120
SERVER = "http://127.0.0.1:1"


async def gateway_of(application: Application, name: str = "Notes", **oauth: object) -> Gateway:
    """A gateway that nobody has to find."""
    made = await add_gateway(application, SERVER, **oauth)
    named = replace(made, name=name, revision=made.revision + 1)
    await application.services.records.gateways.replace(named)
    return named


async def connect(
    application: Application,
    gateway: Gateway,
    owner: str,
    *,
    life: timedelta = 90 * DAY,
    refresh: str | None = None,
    spent: bool = False,
    label: str = "",
    flow_id: str | None = "f" * 32,
    connected_by: str | None = None,
) -> StoredToken:
    """A token that was granted now."""
    services = application.services
    now = services.clock()
    earlier = await services.records.tokens.get(gateway.id, owner, label)
    token = build_token(
        services.cipher,
        TokenGrant("access", "Bearer", now + life, refresh),
        gateway_id=gateway.id,
        app_user_email=owner,
        issuer=SERVER,
        resource=None,
        client_id="client",
        scopes=("read",),
        flow_id=flow_id,
        earlier=earlier,
        now=now,
        label=label,
        connected_by=connected_by,
    )
    token = replace(token, needs_reauth=spent)
    await services.records.tokens.put(token, replacing=earlier)
    return token


@dataclass
class Receiver:
    """Takes webhooks, and answers as a test tells it.

    Attributes:
        answers: the statuses of the next answers; then 204.
        headers: of each answer.
        got: each message that came, with a good signature: its id, its event and its data.
        bad: how many came that no key of ``keys`` signed.
        hold: it answers once this is set.
        came: is released for each message.
    """

    url: str = ""
    keys: list[str] = field(default_factory=lambda: [SECRET])
    answers: list[int] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    got: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    bad: int = 0
    hold: threading.Event | None = None
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    raw: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def wait(self) -> None:
        """Until one more message has come."""
        assert await asyncio.to_thread(self.came.acquire, timeout=PATIENCE)

    @property
    def ids(self) -> list[str]:
        return [name for name, _, _ in self.got]

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.got]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read(receive)
        self.paths.append(f"{scope['method']} {scope['path']}")
        if scope["method"] != "POST":
            await reply(send, 200, [], b"")
            return
        self.raw.append(body)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if not self._signed(headers, body):
            self.bad += 1
            await reply(send, 401, [], b"")
            return
        message = json.loads(body)
        self.got.append((headers["webhook-id"], message["type"], message["data"]))
        self.came.release()
        if self.hold is not None:
            await asyncio.to_thread(self.hold.wait, PATIENCE)
        await reply(send, self.answers.pop(0) if self.answers else 204, self.headers, b"")

    def _signed(self, headers: dict[str, str], body: bytes) -> bool:
        """As Standard Webhooks says to check it; written by itself, so that a mistake is not in both."""
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        shown = {each.partition(",")[2] for each in headers["webhook-signature"].split(" ")}
        for key in self.keys:
            raw = base64.b64decode(key.removeprefix("whsec_"))
            if base64.b64encode(hmac.digest(raw, text, hashlib.sha256)).decode() in shown:
                return True
        return False


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    with bind() as listener, serve_asgi(found, lifespan="off", sock=listener):
        found.url = f"{url_of(listener)}/hooks/secret-path"
        yield found


@pytest.fixture
def told(environment: pytest.MonkeyPatch, receiver: Receiver) -> pytest.MonkeyPatch:
    """Gateways of this test tell the receiver."""
    environment.setenv("WEBHOOK_URLS", receiver.url)
    environment.setenv("WEBHOOK_SECRETS", SECRET)
    environment.setenv("WEBHOOK_ALLOW_PRIVATE_NETWORKS", "true")
    return environment
