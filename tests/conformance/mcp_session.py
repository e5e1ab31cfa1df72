"""An MCP client, the official SDK's, that speaks to one gateway's endpoint and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client

__all__ = ["Refused", "converse"]

STATELESS = "2026-07-28"
REFUSALS = frozenset({401, 403})


class Refused(Exception):
    """The gateway does not let it happen.

    Args:
        authorize_url: where a browser mends it, None if nothing does.
    """

    def __init__(self, detail: str, authorize_url: str | None = None) -> None:
        super().__init__(detail)
        self.authorize_url = authorize_url


async def converse(endpoint: str, bearer: str, version: str, work: Callable[[Client], Awaitable[None]]) -> None:
    """Open a session at ``endpoint`` in the manner of ``version`` and do ``work`` in it.

    Raises:
        Refused: the gateway answered with an error; it carries the authorize URL if there is one.
    """
    refusals: list[Refused] = []

    async def observe(response: httpx2.Response) -> None:
        if response.is_error and response.request.method == "POST":
            refusals.append(_read_refusal(response.status_code, await response.aread()))

    timeout = httpx2.Timeout(60)
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {bearer}"},
        event_hooks={"response": [observe]},
        timeout=timeout,
        trust_env=False,
    ) as http:
        transport = streamable_http_client(endpoint, http_client=http)
        mode = "auto" if version >= STATELESS else "legacy"
        try:
            async with Client(transport, mode=mode, elicitation_callback=_accept, cache=None) as client:
                await work(client)
        except Exception as exc:  # the SDK raises groups and errors of its own; what the gateway said comes first
            raise _best(refusals, exc) from exc


def _read_refusal(status: int, body: bytes) -> Refused:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    url = document.get("authorize_url") if isinstance(document, dict) else None
    text = body[:1000].decode(errors="replace")
    return Refused(f"HTTP {status}: {text}", url if status in REFUSALS else None)


def _best(refusals: list[Refused], exc: Exception) -> Refused:
    mendable = [each for each in refusals if each.authorize_url is not None]
    return (mendable or refusals or [Refused(_said(exc))])[0]


def _said(exc: BaseException) -> str:
    if isinstance(exc, BaseExceptionGroup):
        return "; ".join(_said(part) for part in exc.exceptions)
    return f"{type(exc).__name__}: {exc}"


async def _accept(context: Any, params: Any) -> types.ElicitResult:
    """A person who accepts every form as it is filled in beforehand."""
    schema: Mapping[str, Any] = getattr(params, "requested_schema", None) or {}
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    content = {
        name: each.get("default", True if each.get("type") == "boolean" else None)
        for name, each in properties.items()
        if "default" in each or each.get("type") == "boolean"
    }
    return types.ElicitResult(action="accept", content=content)
