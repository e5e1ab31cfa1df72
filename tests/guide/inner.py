"""A gateway in the test's process, whose clock can be moved, with a shell in its folder."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin_demo.browser import Browser, Page

from tests.callback.gateway import BASE, InnerGateway, open_gateway
from tests.guide.commands import SUCCESS_TITLE
from tests.guide.shell import Shell, open_shell
from tests.guide.stage import hand_made_client, in_guides_place
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, run_latchpin

__all__ = ["InnerStage", "open_inner_stage"]


@dataclass(frozen=True, slots=True)
class InnerStage:
    """What a test acts with.

    Attributes:
        id: of the gateway entry that every test here needs.
    """

    gateway: InnerGateway
    backend: GatewayBackend
    shell: Shell
    id: str

    async def finish(self, browser: Browser, callback_url: str) -> Page:
        """Go on from the provider's redirect, to success."""
        page = await browser.open(callback_url)
        assert page.title == SUCCESS_TITLE.text, page.text
        return page


@contextlib.asynccontextmanager
async def open_inner_stage(
    backend: GatewayBackend, folder: Path, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch, way: str
) -> AsyncIterator[InnerStage]:
    """Open a gateway on ``backend`` in ``folder``, which is the working folder."""
    settings = in_guides_place(backend)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    if backend.name == "postgres":
        assert run_latchpin("db", "upgrade", env=settings, cwd=folder).returncode == 0
    try:
        async with open_gateway() as gateway:
            gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config=hand_made_client(provider, BASE))
            yield InnerStage(gateway, backend, open_shell(folder, settings, way=way), gateway_id)
    finally:
        tear_down_logging()
