"""MCP servers of the official SDK and of fastmcp that want no token, with one tool each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fastmcp import FastMCP
from latchpin_demo.loopback import bind, url_of
from mcp.server.mcpserver import MCPServer

from tests.servers import serve_asgi

__all__ = ["open_fastmcp_server", "open_sdk_server"]


def shout(text: str) -> str:
    """Make it loud."""
    return text.upper() + "!"


@contextlib.contextmanager
def open_sdk_server(*, stateless: bool = False, json: bool = False) -> Iterator[str]:
    server: MCPServer[None] = MCPServer("open", log_level="WARNING")
    server.tool()(shout)
    with bind() as listener:
        app = server.streamable_http_app(stateless_http=stateless, json_response=json)
        with serve_asgi(app, sock=listener):
            yield f"{url_of(listener)}/mcp"


@contextlib.contextmanager
def open_fastmcp_server() -> Iterator[str]:
    server: FastMCP[None] = FastMCP("open")
    server.tool(shout)
    with bind() as listener, serve_asgi(server.http_app(path="/mcp"), sock=listener):
        yield f"{url_of(listener)}/mcp"
