"""Requests without a token, as MCP clients begin with, until one of them is challenged.

Servers guard what they guard: all methods, the handshake alone, or only what comes after it. So the first requests of
both ways of MCP are sent, and what is asked after a handshake; none of them changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from latchpin import __version__
from latchpin.mcp.protocol import CAPABILITIES, CLIENT_INFO, MODERN, SESSIONS, VERSION
from latchpin.model import Reply
from latchpin.oauth.challenge import Challenge, parse_challenge
from latchpin.outbound.redirects import MOST_REDIRECTS, follow_redirect, is_redirect, tell_redirect
from latchpin.servers.discovery_client import DiscoveryClient, bare
from latchpin.servers.found import Step

__all__ = ["Probe"]

EARLIER = SESSIONS[-1]
_SHARES = 3  # how much of the time stays for what follows, against one for the request
_MOST_SILENT = 2
_CLIENT = {"name": "latchpin", "version": __version__}
_META = {"_meta": {VERSION: MODERN, CLIENT_INFO: _CLIENT, CAPABILITIES: {}}}
_HANDSHAKE = {"protocolVersion": EARLIER, "capabilities": {}, "clientInfo": _CLIENT}
_HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
_SESSION = "mcp-session-id"
# API gateways rename the header when they pass an answer on.
_CHALLENGES = ("www-authenticate", "x-amzn-remapped-www-authenticate")


class Probe:
    """Asks one MCP server. Used once.

    Args:
        discovery: carries the requests out.
        url: the MCP server.

    Attributes:
        challenge: what it was challenged with; empty until it was.
        challenged: a request was refused for want of a token.
        answered: a request had an answer, whatever it was.
    """

    def __init__(self, discovery: DiscoveryClient, url: str) -> None:
        self._discovery = discovery
        self._url = url
        self._open = False
        self._session: dict[str, str] = {}
        self.challenge = Challenge()
        self.challenged = False
        self.answered = False

    async def run(self) -> None:
        """Ask until a request is challenged.

        Raises:
            DiscoveryFailed: the server cannot be reached.
        """
        modern = {"mcp-protocol-version": MODERN}
        discovered = await self._post("server/discover", _META, {**modern, "mcp-method": "server/discover"})
        if self._goes_on() and not _is_modern(discovered):
            shaken = await self._post("initialize", _HANDSHAKE, {})
            if shaken is not None and _SESSION in shaken.headers:
                self._session = {_SESSION: shaken.headers[_SESSION], "mcp-protocol-version": EARLIER}
        if self._goes_on():
            headers = self._session or {**modern, "mcp-method": "tools/list"}
            await self._post("tools/list", {} if self._session else _META, headers)
        if self._goes_on() and not self._open:  # an open server may answer with a stream that never ends
            await self._ask("GET", "", {"accept": "text/event-stream"})
        if self._session:
            await self._ask("DELETE", " (the session)", self._session)

    def _goes_on(self) -> bool:
        return not self.challenged and self._discovery.silent < _MOST_SILENT

    async def _post(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> Reply | None:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self._ask("POST", f" ({method})", {**_HEADERS, **headers}, json.dumps(message).encode())

    async def _ask(self, method: str, what: str, headers: Mapping[str, str], body: bytes = b"") -> Reply | None:
        reply = None
        for _ in range(MOST_REDIRECTS):
            asked = f"{method} {bare(self._url)}{what}"
            reply = await self._discovery.ask(asked, method, self._url, headers, body, later=_SHARES)
            if reply is None:
                return None
            self.answered = True
            target = follow_redirect(method, self._url, reply.status, reply.headers.get("location"))
            self._judge(asked, reply, followed=target is not None)
            if self.challenged or target is None:
                break
            self._url = target
        self._open = self._open or (reply is not None and reply.status < HTTPStatus.MULTIPLE_CHOICES)
        return reply

    def _judge(self, asked: str, reply: Reply, *, followed: bool) -> None:
        text = ", ".join(reply.headers[name] for name in _CHALLENGES if name in reply.headers)
        challenge = parse_challenge(text)
        names = challenge is not None and challenge.resource_metadata is not None
        if reply.status == HTTPStatus.UNAUTHORIZED or names or (challenge and reply.status >= HTTPStatus.BAD_REQUEST):
            self.challenged = True
            self.challenge = challenge or Challenge()
        got = f"HTTP {reply.status}"
        if is_redirect(reply.status):
            got = tell_redirect(self._url, reply.status, reply.headers.get("location"))
            got += "" if followed else ", which is not followed"
        odd = " in an odd form" if names and challenge is not None and challenge.odd else ""
        with_it = f"{'with' if names else 'without'} a challenge that names its metadata{odd}"
        passed = names or reply.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.UNAUTHORIZED}
        told = got if is_redirect(reply.status) and not names else f"{got} {with_it}"
        self._discovery.note(Step(asked, told, passed=passed))


def _is_modern(reply: Reply | None) -> bool:
    """Whether the server knows the first request: some answer whatever they do not know with a result."""
    return reply is not None and reply.status == HTTPStatus.OK and b'"supportedVersions"' in reply.body
