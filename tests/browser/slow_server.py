"""An MCP server that says where its metadata is, and then takes its time with it until a test lets it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["SlowServer", "slow_server"]


@dataclass(frozen=True)
class SlowServer:
    """The server's URL, and what lets it answer."""

    url: str
    released: threading.Event


@contextlib.contextmanager
def slow_server() -> Iterator[SlowServer]:
    """Serve until the block ends."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(401)
            host = self.headers["Host"]
            self.send_header("WWW-Authenticate", f'Bearer resource_metadata="http://{host}/metadata"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            released.wait(60)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield SlowServer(f"http://127.0.0.1:{server.server_port}/mcp", released)
        finally:
            released.set()
            server.shutdown()
            thread.join()
