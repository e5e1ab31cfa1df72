"""What a person sees who opens an MCP endpoint in a browser: what the address is for."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from latchpin.sdk.web import build_challenge, frame_for_anybody, read_header, render

from latchpin_proxy.resource import endpoint_path

__all__ = ["is_visitor", "show_endpoint"]

TEMPLATES = Path(__file__).parent / "templates"


def is_visitor(scope: MutableMapping[str, Any]) -> bool:
    """Whether a browser asks for a page: programs that ask for a stream (GET) say so (MCP, transports)."""
    if scope["method"] != "GET":
        return False
    accepted = read_header(scope, b"accept")
    return b"text/html" in accepted and b"text/event-stream" not in accepted


async def show_endpoint(scope: MutableMapping[str, Any], base_url: str) -> Response:
    """The page. It says nothing that depends on the gateway's existence; programs read the challenge."""
    path = endpoint_path(scope["path_params"]["gateway_id"])
    return render(
        "endpoint",
        folder=TEMPLATES,
        title="This address is for MCP clients",
        status=401,
        headers={"www-authenticate": build_challenge(base_url, path)},
        url=base_url + path,
        **await frame_for_anybody(Request(scope)),
    )
