"""A gateway that runs, a provider, a client registered by hand, and a shell in the gateway's folder."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from latchpin_demo.browser import Browser, Page

from tests.flow.rig import Rig, settings_of, start_rig
from tests.guide.commands import SUCCESS_TITLE
from tests.guide.shell import Shell, open_shell
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend

__all__ = ["Stage", "hand_made_client", "in_guides_place", "open_stage", "payload_of", "state_of"]


def in_guides_place(backend: GatewayBackend) -> Mapping[str, str]:
    """The backend's settings, with the SQLite file where the guide looks for it: ``mcp.db`` in the working folder."""
    place = {"DATABASE_URL": "sqlite:///./mcp.db"} if backend.name == "sqlite" else {}
    return settings_of(backend) | place


def hand_made_client(provider: FaultSwitch, base_url: str) -> dict[str, Any]:
    """Register a client as a person would, so that runs without DCR have one too; gives an ``oauth_config``."""
    body = {"redirect_uris": [f"{base_url}/oauth/callback"], "token_endpoint_auth_method": "client_secret_basic"}
    answer = httpx.post(f"{provider.provider.issuer}/register", json=body, trust_env=False, timeout=60)
    client = answer.raise_for_status().json()
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


def state_of(callback_url: str) -> str:
    """The state in a callback's URL."""
    return parse_qs(urlsplit(callback_url).query)["state"][0]


def payload_of(state: str) -> dict[str, Any]:
    """What a state says, read without any key."""
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(state.partition(".")[0] + "=="))
    return payload


@dataclass
class Stage:
    """What a test of the guide acts with.

    Attributes:
        seen: how much of the log ``new_log`` has given out.
    """

    rig: Rig
    provider: FaultSwitch
    backend: GatewayBackend
    shell: Shell
    seen: int = 0

    async def add_gateway(self) -> str:
        """A gateway of the provider's MCP server, with a client that was registered by hand."""
        client = hand_made_client(self.provider, self.rig.url)
        return await self.rig.add(self.provider.provider.mcp_url, name="Notes", oauth_config=client)

    async def finish(self, browser: Browser, callback_url: str) -> Page:
        """Go on from the provider's redirect, to success."""
        page = await browser.open(callback_url)
        assert page.title == SUCCESS_TITLE.text, page.text
        return page

    def new_log(self) -> str:
        """What was logged since the last call."""
        text = self.rig.log
        fresh, self.seen = text[self.seen :], len(text)
        return fresh


@contextlib.contextmanager
def open_stage(
    backend: GatewayBackend, folder: Path, provider: FaultSwitch, *, way: str = "installed", **settings: str
) -> Iterator[Stage]:
    """Serve a gateway; ``settings`` come on top of the backend's."""
    env = dict(in_guides_place(backend)) | settings
    with start_rig(backend, folder, **(env)) as rig:
        yield Stage(rig, provider, backend, open_shell(folder, env, way=way, port=rig.process.port))
