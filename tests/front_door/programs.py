"""Real clients that are programs of their own: they open the browser that ``BROWSER`` names."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.front_door.clients import Failed, Person, RealClient, open_desk, text_of
from tests.servers.gateway import clean_environment
from tests.servers.processes import HOST, Reservation
from tests.servers.programs import Node

__all__ = ["PACKAGES", "Programs"]

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
