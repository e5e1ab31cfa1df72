"""Servers that a test tells what to answer: byte by byte, page by page, or as an MCP server."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from latchpin.model import Gateway, OAuthConfig
from latchpin.settings.core import CoreSettings

# A server that writes exactly the bytes a test tells it to, and a certificate for one that speaks TLS.


Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """A running server: where it is, and what it saw."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(body: bytes = b"{}", *lines: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def writing(*replies: bytes) -> Write:
    """Write the next reply at each request; the last one again and again."""
    left = list(replies)

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return write


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request with its body, as bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


@asynccontextmanager
async def serve(
    write: Write, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, close: bool = False
) -> AsyncIterator[RawServer]:
    """Answer each request with what ``write`` writes; with ``close``, one request for a connection."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        raw_server.connections.append(writer.get_extra_info("sockname")[0])
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                raw_server.requests.append(await read_request(reader))
                await write(writer)
                if close:
                    break
        writer.close()
        handlers.discard(task)
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    raw_server = RawServer(server.sockets[0].getsockname()[1])
    try:
        yield raw_server
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def settings(*, private: bool = True, retries: int = 0) -> CoreSettings:
    """The core's settings, away from this machine's environment."""
    return CoreSettings(
        _env_file=None, oauth_allow_private_networks=private, oauth_max_retries=retries, oauth_request_timeout=60
    )


async def no_pause(_seconds: float) -> None:
    """Stands in for sleeping between retries."""


def write_certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for ``names``: its file, and the server's TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(item) for item in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context


# A web site made of a table, over real HTTP: what a path answers, and what was asked.


WELL_KNOWN = "/.well-known"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Page:
    """One answer."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(body)}", "Connection: close"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass
class Site:
    """A running site; tests write its ``pages`` ("GET /path" to answer); what is ``silent`` never answers.

    A message may have an answer of its own: "POST /path initialize". ``messages`` has what was asked in that form.
    """

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    touched: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, issuer: str, *, path: str | None = None, **more: Any) -> None:
        """Put an authorization server's metadata where RFC 8414 says, or at ``path``."""
        at = path or f"{WELL_KNOWN}/oauth-authorization-server{issuer.removeprefix(self.url).rstrip('/')}"
        self.pages[f"GET {at}"] = Page(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "registration_endpoint": f"{self.url}/register",
                "code_challenge_methods_supported": ["S256"],
                **more,
            }
        )

    def protect(self, *servers: str, path: str = "/mcp", challenge: str = "", **more: Any) -> None:
        """Make /mcp a protected resource whose metadata is at ``path``'s well-known URL."""
        self.pages["POST /mcp"] = Page(status=401, headers={"WWW-Authenticate": challenge} if challenge else {})
        self.pages[f"GET {WELL_KNOWN}/oauth-protected-resource{path}"] = Page(
            {"resource": f"{self.url}{path}", "authorization_servers": list(servers), **more}
        )


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    """Serve a site on a free port. Clear ``gate`` to hold answers back."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            asked = head.split(b"\r\n")[0].decode().rpartition(" ")[0]
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            message = f"{asked} {json.loads(body)['method']}" if body else asked
            site.asked.append(asked)
            site.messages.append(message)
            site.touched.set()
            await site.gate.wait()
            if {asked, message} & site.silent:
                await reader.read()  # until whoever asked hangs up
            page = site.pages.get(message) or site.pages.get(asked)
            writer.write((page or Page(b"<h1>no</h1>", 404)).encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    site = Site(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    site.gate.set()
    async with server:
        yield site


class MovedClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def gateway(url: str, *, pinned: str | None = None, revision: int = 1, **oauth: Any) -> Gateway:
    """A gateway in front of ``url``."""
    return Gateway(
        id="a" * 32,
        name="docs",
        url=url,
        auth_type="oauth",
        allowed_users=(),
        oauth=OAuthConfig(**oauth),
        pinned_issuer=pinned,
        revision=revision,
        created_at=NOW,
        updated_at=NOW,
    )


# An MCP server of the year 2025 that answers whatever a test wants, page by page.


Result = dict[str, Any] | bytes | Write
Lister = Callable[[str | None], Result]


def tool(name: str, description: str = "") -> dict[str, Any]:
    """One tool's definition."""
    schema = {"type": "object", "properties": {"x": {"type": ["string", "null"], "default": None}}, "x-more": [None]}
    return {"name": name, "description": description, "inputSchema": schema}


@dataclass
class Fake:
    """``tools`` makes the answer to tools/list from its cursor; ``first`` answers everything at once.

    ``replies`` has whole members of answers by method, ``events`` answers in streams, ``form`` makes an answer of JSON.
    """

    tools: Lister = lambda _cursor: {"tools": [tool("one")]}
    first: bytes | Write | None = None
    wait: Callable[[str], Awaitable[None]] | None = None
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: bool = False
    form: Callable[[bytes], bytes] | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Run on a free port; give the endpoint's URL."""
        handlers: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            handlers.add(task)
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._reply(await read_request(reader), writer)
            handlers.discard(task)
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        finally:
            server.close()
            for task in list(handlers):
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)

    async def _reply(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        verb = head.partition(b" ")[0].decode()
        message = json.loads(body) if body else {"method": verb}
        sent = [line.partition(b": ")[2].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"auth")]
        self.seen.append((message["method"], "".join(sent)))
        if self.wait is not None:
            await self.wait(message["method"])
        result = self.first or self.replies.get(message["method"]) or self._answer(message)
        if isinstance(result, dict):
            document = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), **result}).encode()
            if self.form is not None:
                result = self.form(document)
            elif self.events:
                result = page(b"data: " + document + b"\n\n", "text/event-stream", "Mcp-Session-Id: s1")
            else:
                result = page(document, "application/json", "Mcp-Session-Id: s1")
        if isinstance(result, bytes):
            writer.write(result)
            await writer.drain()
        else:
            await result(writer)

    def _answer(self, message: dict[str, Any]) -> Result:
        match message["method"]:
            case "initialize":
                about = {"name": "fake", "version": "1"}
                facts = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
                return {"result": facts}
            case "notifications/initialized":
                return answer(b"", status="202 Accepted")
            case "GET":
                return answer(b"", status="405 Method Not Allowed")
            case "DELETE":
                return answer(b"")
            case "tools/list":
                found = self.tools(message.get("params", {}).get("cursor"))
                return {"result": found} if isinstance(found, dict) else found
            case method:
                return {"error": {"code": -32601, "message": f"no {method}"}}


def page(body: bytes, kind: str, *lines: str, status: str = "200 OK") -> bytes:
    """A whole answer of a content type."""
    return answer(body, f"Content-Type: {kind}", *lines, status=status)


def endless(head: bytes, piece: bytes, kind: str) -> Write:
    """An answer that never ends."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return write


# A relay before a real server.


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def relay_to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A connection handler that passes everything on to a server on this machine."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer), return_exceptions=True)
        for each in (writer, there_writer):
            each.close()

    return handle
