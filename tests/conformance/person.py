"""The person in front: an administrator at the API, and a browser that follows redirects with a cookie jar."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from tests.conformance.mcp_session import Refused

MOST_REDIRECTS = 20


class Person:
    """Somebody who is signed in at the gateway, and nowhere else.

    Args:
        base_url: the gateway's.
        bearer: proves the person to the gateway; it is sent to nobody else.
    """

    def __init__(self, base_url: str, bearer: str) -> None:
        self.base_url = base_url
        self.bearer = bearer
        self._proof = {"Authorization": f"Bearer {bearer}"}
        self.api = httpx.AsyncClient(base_url=base_url, headers=self._proof, trust_env=False, timeout=60)
        self._browser = httpx.AsyncClient(trust_env=False, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.api.aclose()
        await self._browser.aclose()

    async def hand_in(self, gateway_id: str, id_token: str) -> None:
        """Give the gateway one's own ID token, as a program does whose user has signed in at the company.

        Raises:
            Refused: the gateway does not take it.
        """
        answer = await self.api.put(f"/oauth/identity-assertion/{gateway_id}", json={"id_token": id_token})
        if not answer.is_success:
            raise Refused(f"the ID token was not taken: {answer.text}")

    async def authorize(self, authorize_url: str) -> None:
        """Open the gateway's authorize URL and follow it to the end: the suite's server consents by itself.

        Raises:
            Refused: the gateway refused to begin or to complete; the text is its answer.
        """
        url = authorize_url
        for _ in range(MOST_REDIRECTS):
            at_gateway = url.startswith(f"{self.base_url}/")
            headers = {"Accept": "application/json", **(self._proof if at_gateway else {})}
            answer = await self._browser.get(url, headers=headers)
            if not answer.has_redirect_location:
                break
            url = urljoin(url, answer.headers["location"])
        if not answer.is_success:
            raise Refused(f"authorizing ended with HTTP {answer.status_code}: {answer.text[:1000]}")
