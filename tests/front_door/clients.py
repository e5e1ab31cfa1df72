"""Real MCP clients that are given one URL and nothing else, each with the person at its browser."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx2
from latchpin_demo.browser import Browser, Form, Page
from latchpin_demo.front_channel import PASSWORD
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent
from pydantic import AnyUrl

# A person at a browser, to whom clients bring a URL: signed in there, answers each page, and counts them.


_MOST_PAGES = 10


@dataclass(slots=True)
class Visit:
    """One time that a client opened the browser.

    Attributes:
        url: what the client opened.
        pages: the titles of the pages that waited for the person.
        clicks: how often the person pressed a button that is not of a sign-in.
        sign_ins: how often the person gave a password.
        end: the page that it ended on.
    """

    url: str
    pages: list[str] = field(default_factory=list)
    clicks: int = 0
    sign_ins: int = 0
    end: Page | None = None


class Person:
    """Does what a client's user does.

    Args:
        browser: theirs.
        email: who they are, at the gateway and at the servers behind it.
    """

    def __init__(self, browser: Browser, email: str) -> None:
        self.email = email
        self.visits: list[Visit] = []
        self._browser = browser
        self._shown = asyncio.Event()

    async def visit(self, url: str) -> Visit:
        """Open what a client asks to be opened, and go on until no page wants an answer."""
        visit = Visit(url)
        self.visits.append(visit)
        visit.end = await self._browser.open(url)
        while (form := _find_form(visit.end)) is not None:
            assert len(visit.pages) < _MOST_PAGES, visit.pages
            visit.pages.append(visit.end.title)
            visit.end = await self._answer(form, visit)
        assert visit.end.status < 500, visit.end.text  # else the client waits for nobody
        self._shown.set()
        return visit

    async def shown(self) -> None:
        """Return when the next visit has come to its end."""
        self._shown.clear()
        await self._shown.wait()

    def forget(self, header: str) -> None:
        """The browser sends this header no more."""
        del self._browser.headers[header]

    async def _answer(self, form: Form, visit: Visit) -> Page:
        if "password" in form.fields:
            visit.sign_ins += 1
            name = "login" if "login" in form.fields else "email"
            return await self._browser.submit(form, **{name: self.email}, password=PASSWORD)
        visit.clicks += 1
        return await self._browser.submit(form, press="allow" if form.buttons else "")


def _find_form(page: Page) -> Form | None:
    """The question that the page asks; None if it asks nothing that a person says yes to."""
    for form in page.forms:
        asks = form.fields.get("prompt") == "consent" or any(value == "allow" for _, value in form.buttons)
        if "password" in form.fields or asks:
            return form
    return None


# Where the browsers that programs open knock: ``BROWSER`` brings the URL to the person.


_KNOCK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    line.sendall(sys.argv[1].encode() + b"\\n")
"""


@asynccontextmanager
async def open_desk(folder: Path, visit: Callable[[str], Awaitable[object]]) -> AsyncIterator[Path]:
    """Give the program to name as ``BROWSER``: each URL that it is started with is visited.

    Args:
        folder: an empty one with a short path, for a local socket.
        visit: what the person does with a URL; where it fails, the block does.
    """

    async def open_url(url: str) -> None:
        await visit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = (await reader.readline()).decode().strip()
        writer.close()
        visits.create_task(open_url(url))

    path, script, program = folder / "desk", folder / "knock.py", folder / "browser"
    script.write_text(_KNOCK.format(path=str(path)))
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}" "$1"\n')
    program.chmod(0o700)
    async with asyncio.TaskGroup() as visits:
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield program
        finally:
            server.close()


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
