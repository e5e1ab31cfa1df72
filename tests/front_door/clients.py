"""Real MCP clients that are given one URL: of the SDK in this process, and programs that open a browser by its name."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx2
from latchpin_demo.browser import Browser, Form, Page
from latchpin_demo.front_channel import PASSWORD
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent
from pydantic import AnyUrl

from tests.servers.gateway import clean_environment
from tests.servers.processes import HOST, Reservation
from tests.servers.programs import Node

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


PACKAGES = {
    "@modelcontextprotocol/sdk": "1.32.2",
    "@modelcontextprotocol/client": "2.4.0",
    "@modelcontextprotocol/inspector": "2.12.0",
    "mcp-remote": "0.15.1",
}
"""What npm installs of them, with the versions that the documentation names."""
_FASTMCP = """
import asyncio
import json
import sys

from fastmcp import Client

async def main() -> None:
    async with Client(sys.argv[1], auth="oauth") as client:
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            try:
                result = await client.call_tool(line, {})
                said = {"text": "".join(getattr(part, "text", "") for part in result.content)}
            except Exception as exc:
                said = {"error": f"{type(exc).__name__}: {exc}"}
            sys.stdout.write(json.dumps(said) + "\\n")
            sys.stdout.flush()

asyncio.run(main())
"""
"""FastMCP's client with ``auth="oauth"`` alone. Calls the tool that each line names, and prints a line each."""
_TYPESCRIPT = Path(__file__).with_name("typescript_client.mjs")
_INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
_MCP_REMOTE = "mcp-remote/dist/proxy.js"
_PATIENCE = 120
"""Seconds for one answer, the person's way through the browser included."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Starts them.

    Attributes:
        node: runs those of npm.
        packages: the folder whose ``node_modules`` has ``PACKAGES``.
        folder: an empty one of the test, with a short path: homes and sockets are made there.
    """

    node: Node
    packages: Path
    folder: Path

    def fastmcp(self, url: str, person: Person) -> AbstractAsyncContextManager[RealClient]:
        """FastMCP's client with ``auth="oauth"``."""
        return self._open_lines([sys.executable, "-c", _FASTMCP, url], person)

    def typescript(self, url: str, person: Person, *, package: str) -> AbstractAsyncContextManager[RealClient]:
        """The official TypeScript SDK's client: ``sdk`` is its first version, ``client`` its second."""
        script = self.packages / _TYPESCRIPT.name  # beside node_modules, where its imports are looked for
        script.write_text(_TYPESCRIPT.read_text())
        return self._open_lines([self.node.program, str(script), url, package], person)

    @asynccontextmanager
    async def mcp_remote(self, url: str, person: Person) -> AsyncIterator[RealClient]:
        """``mcp-remote`` as a desktop application starts it, and speaks to it."""
        async with self._desk(person) as env:
            command = [str(self.packages / "node_modules" / _MCP_REMOTE), url, "--auth-timeout", str(_PATIENCE)]
            server = StdioServerParameters(command=self.node.program, args=command, env=env)
            with (self.folder / "mcp-remote.log").open("w") as log:
                async with Client(stdio_client(server, errlog=log)) as client:
                    yield _Desktop(client)

    @asynccontextmanager
    async def inspector(self, url: str, person: Person) -> AsyncIterator[RealClient]:
        """The Inspector's command line: a process for each call, which finds what earlier ones stored."""
        async with self._desk(person) as env:
            with Reservation() as reserved:
                callback = f"http://{HOST}:{reserved.port}/oauth/callback"
                program = str(self.packages / "node_modules" / _INSPECTOR)
                command = [self.node.program, program, "--cli", url, "--callback-url", callback, "--format", "json"]
                yield _Inspector(
                    command, {**env, "MCP_AUTO_OPEN_ENABLED": "true", "MCP_INSPECTOR_SECRET_STORE": "file"}
                )

    @asynccontextmanager
    async def _open_lines(self, command: Sequence[str], person: Person) -> AsyncIterator[RealClient]:
        async with self._desk(person) as env:
            process = await _start(command, env)
            try:
                yield _Lines(process)
            finally:
                await _end(process)

    @asynccontextmanager
    async def _desk(self, person: Person) -> AsyncIterator[dict[str, str]]:
        """The environment of a program whose user is ``person``, and who has a home of their own."""
        home = Path(tempfile.mkdtemp(dir=self.folder))
        async with open_desk(home, person.visit) as browser:
            env = clean_environment({"HOME": str(home), "BROWSER": str(browser)})
            yield env | {"PATH": self.node.environment({})["PATH"]}


class _Lines:
    """One of our scripts around a client library: a line in, a line out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def call(self, tool: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(tool.encode() + b"\n")
        async with asyncio.timeout(_PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise Failed(await _last_words(self._process))
        said = json.loads(line)
        if "error" in said:
            raise Failed(said["error"])
        return str(said["text"])


class _Desktop:
    """What is connected to ``mcp-remote``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str) -> str:
        try:
            async with asyncio.timeout(_PATIENCE):
                return text_of(await self._client.call_tool(tool, {}))
        except Failed:
            raise
        except Exception as exc:
            raise Failed(f"{type(exc).__name__}: {exc}") from exc


class _Inspector:
    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._command = command
        self._env = env

    async def call(self, tool: str) -> str:
        process = await _start([*self._command, "--method", "tools/call", "--tool-name", tool], self._env)
        try:
            async with asyncio.timeout(_PATIENCE):
                out, err = await process.communicate()
        finally:
            await _end(process)
        if process.returncode:
            raise Failed(err.decode())
        said = json.loads(out)
        text = "".join(part.get("text", "") for part in said["result"]["content"])
        if said["result"].get("isError"):
            raise Failed(text)
        return text


async def _start(command: Sequence[str], env: Mapping[str, str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=env, stdin=pipe, stdout=pipe, stderr=pipe)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _last_words(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read()).decode()[-2000:]
