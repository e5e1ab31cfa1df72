"""A program of a few lines that speaks either era to the one endpoint, and shows what came back."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.aggregator.conftest import Era

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
MODERN, SESSIONS = "2026-07-28", "2025-11-25"
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass
class Program:
    """Speaks to ``url``.

    Attributes:
        capabilities: what it declares.
        session: the session it is in.
        last: the last HTTP answer.
    """

    http: httpx.AsyncClient
    url: str
    era: Era = "modern"
    capabilities: dict[str, Any] = field(default_factory=dict)
    session: str = ""
    last: httpx.Response | None = None
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The JSON-RPC answer to a request."""
        if self.era == "sessions" and not self.session and method != "initialize":
            await self.begin()
        message, headers = self.message(method, **params)
        answer = await self.send(message, headers)
        return last_message(answer)

    async def begin(self) -> dict[str, Any]:
        """Begin a session."""
        told = await self.ask(
            "initialize",
            protocolVersion=SESSIONS,
            capabilities=self.capabilities,
            clientInfo={"name": "program", "version": "1"},
        )
        assert self.last is not None
        self.session = self.last.headers["mcp-session-id"]
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, self.headers(""))
        return told

    def message(self, method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """A request and its header fields, to be changed by who wants to."""
        name = params.get(_NAMED.get(method, ""))
        if self.era == "modern":
            params["_meta"] = {VERSION: MODERN, CAPABILITIES: self.capabilities} | params.get("_meta", {})
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        return message, self.headers(method, name)

    def headers(self, method: str, name: str | None = None) -> dict[str, str]:
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if self.era == "modern":
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
            return headers | ({} if name is None else {"mcp-name": name})
        if self.session:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": SESSIONS}
        return headers

    async def send(self, message: object, headers: dict[str, str]) -> httpx.Response:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.last = await self.http.post(self.url, content=content, headers=headers)
        return self.last

    async def tools(self) -> dict[str, dict[str, Any]]:
        """The tools, by name."""
        result = (await self.ask("tools/list"))["result"]
        return {tool["name"]: tool for tool in result["tools"]}

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a call."""
        return await self.ask("tools/call", name=name, arguments=arguments)


def last_message(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC answer in an HTTP answer."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        data = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
        found: dict[str, Any] = json.loads(data[-1])
        return found
    value: dict[str, Any] = answer.json()
    return value


def text_in(answer: dict[str, Any]) -> str:
    """What a tool says."""
    return "".join(part["text"] for part in answer["result"]["content"])
