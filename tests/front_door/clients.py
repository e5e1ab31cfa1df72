"""Real MCP clients that are given one URL and nothing else, each with the person at its browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent
from pydantic import AnyUrl

from tests.front_door.person import Person

__all__ = ["REDIRECT_URI", "Failed", "RealClient", "open_python_sdk", "text_of"]

REDIRECT_URI = "http://127.0.0.1:9/callback"
"""Where the Python SDK's client has the answer sent: nobody listens there, the person's browser stops before it."""


class Failed(Exception):
    """The client gave up; the text is what it says."""


class _NotComing(Exception):
    """The person did not come back from the browser."""


class RealClient(Protocol):
    """A connected client."""

    async def call(self, tool: str) -> str:
        """Call a tool without arguments and give the text of its result.

        Raises:
            Failed: there is none.
        """
        ...


def text_of(result: object) -> str:
    """The text of a tool's result. Raises Failed where the tool failed."""
    content = getattr(result, "content", [])
    text = "".join(part.text for part in content if isinstance(part, TextContent))
    if getattr(result, "is_error", False):
        raise Failed(text)
    return text


@dataclass(slots=True)
class _Storage:
    """What the Python SDK's client keeps between runs."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class _PythonSdk:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str) -> str:
        try:
            return text_of(await self._client.call_tool(tool, {}))
        except Failed:
            raise
        except Exception as exc:
            raise Failed(_explain(exc)) from exc


@asynccontextmanager
async def open_python_sdk(url: str, person: Person) -> AsyncIterator[RealClient]:
    """The official Python SDK's client with its own OAuth."""

    async def lead_to(authorization_url: str) -> None:
        await person.visit(authorization_url)

    async def hear() -> AuthorizationCodeResult:
        answer = _answer_of(person)
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))

    metadata = OAuthClientMetadata(client_name="Python SDK", redirect_uris=[AnyUrl(REDIRECT_URI)])
    auth = OAuthClientProvider(url, metadata, _Storage(), redirect_handler=lead_to, callback_handler=hear)
    try:
        async with (
            httpx2.AsyncClient(auth=auth, trust_env=False, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield _PythonSdk(client)
    except* _NotComing:
        pass  # the call has said so; the SDK says it again at its end


def _answer_of(person: Person) -> dict[str, str]:
    """What the browser brought to the client's address. Raises _NotComing if it never came there."""
    page = person.visits[-1].end
    if page is None or not page.url.startswith(REDIRECT_URI):
        raise _NotComing(page.title if page is not None else "nowhere")
    return dict(parse_qsl(urlsplit(page.url).query, strict_parsing=True))


def _explain(exc: BaseException) -> str:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return f"{type(exc).__name__}: {exc}"
