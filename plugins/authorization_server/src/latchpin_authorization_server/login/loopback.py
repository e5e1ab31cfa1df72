"""Takes the browser's answer on a port of this machine (RFC 8252 section 7.3)."""

from __future__ import annotations

import hmac
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from latchpin.errors import SignInFailed

from latchpin_authorization_server.login.protocol import REDIRECT_PATH

__all__ = ["Loopback", "listening"]

_SILENT = 10
"""Seconds that a connection may say nothing: browsers open some in advance."""
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    "<body><h1>{title}</h1><p>{words}</p></body></html>"
)


class Loopback:
    """Waits for one answer.

    Attributes:
        port: of 127.0.0.1.
    """

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.port: int = server.server_address[1]

    def expect(self, state: str) -> None:
        """Take the answer with this ``state`` from now on; any other page's requests are refused."""
        self._server.expected = state

    def wait(self, patience: timedelta) -> dict[str, str]:
        """The answer's parameters; raises SignInFailed if none comes."""
        try:
            return self._server.answers.get(timeout=patience.total_seconds())
        except queue.Empty:
            raise SignInFailed("no answer came from the browser in time", remedy="Start again.") from None


@contextmanager
def listening() -> Iterator[Loopback]:
    """Listen on a free port until the block ends."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Loopback(server)
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: queue.Queue[dict[str, str]] = queue.Queue()
        self.expected = ""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        answer = dict(parse_qsl(parts.query))
        state = answer.get("state", "")
        if parts.path != REDIRECT_PATH or not self.server.expected:
            self._tell(404, "Nothing here", "This page belongs to a program on this computer.")
        elif not hmac.compare_digest(state.encode(), self.server.expected.encode()):
            self._tell(400, "Not what was asked for", "This answer belongs to no sign-in that was begun here.")
        else:
            self.server.expected = ""
            words = "The program goes on. You can close this window."
            self._tell(200, "Not signed in" if "error" in answer else "Signed in", words)
            self.server.answers.put(answer)

    def _tell(self, status: int, title: str, words: str) -> None:
        body = _PAGE.format(title=title, words=words).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "text/html; charset=utf-8",
            "content-length": str(len(body)),
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
            "connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:  # noqa: ANN401  the library's own
        """Say nothing: the request's line holds the code."""
