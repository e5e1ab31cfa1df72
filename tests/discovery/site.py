"""A web site made of a table, over real HTTP: what a path answers, and what was asked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from latchpin.model import Gateway, OAuthConfig

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
