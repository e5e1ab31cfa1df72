"""A user at the admin UI: opens pages, and sends the forms that stand on them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape

import httpx
import pytest

from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

HTML = "text/html,application/xhtml+xml"
OURS = {"sec-fetch-site": "same-origin", "origin": "null"}


@dataclass
class BrowserUser:
    """One browser.

    Attributes:
        page: the last page's text.
    """

    client: httpx.AsyncClient
    page: str = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def visiting(cls, gateway: InnerGateway, email: str) -> AsyncIterator[BrowserUser]:
        async with gateway.client(email, Accept=HTML) as client:
            yield cls(client)

    async def open(self, path: str, **headers: str) -> httpx.Response:
        answer = await self.client.get(BASE + path, headers=headers)
        self.page = answer.text
        return answer

    async def send(self, path: str, *, proof: bool = True, headers: dict[str, str] | None = None, **fields: str):
        """POST a form, with the token of the page that is open."""
        if proof:
            fields["csrf_token"] = self.token
        answer = await self.client.post(BASE + path, data=fields, headers={**OURS, **(headers or {})})
        self.page = answer.text
        return answer

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        assert found is not None, "no form on the page"
        return unescape(found[1])

    @property
    def text(self) -> str:
        """What people read of the page, in one line."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.page)).split())


# The whole gateway in the test's process, with the admin UI.


NEEDS = ("latchpin_admin_ui",)


@pytest.fixture
async def admin(gateway):
    """An administrator's browser."""
    async with BrowserUser.visiting(gateway, ADMIN) as user:
        yield user


@pytest.fixture
async def alice(gateway):
    """The browser of somebody who is no administrator."""
    async with BrowserUser.visiting(gateway, ALICE) as user:
        yield user
