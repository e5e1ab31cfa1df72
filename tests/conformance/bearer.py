"""What the suite has no option for: a server in front of an endpoint that adds a token to each request."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.servers.processes import HOST, serve_asgi

__all__ = ["start_bearer"]

_OURS = frozenset({"authorization", "content-length", "transfer-encoding", "connection"})
_THEIRS = frozenset({"transfer-encoding", "connection"})


class _Bearer:
    """Passes on what comes, with the token. Who addresses this server rightly addresses the endpoint rightly."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._http = httpx.AsyncClient(trust_env=False, timeout=None)  # streams last as long as they like

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        headers = self._headers(request, "{}:{}".format(*scope["server"]))
        passed = self._http.build_request(request.method, self._url, headers=headers, content=await request.body())
        answer = await self._http.send(passed, stream=True)
        try:
            kept = {name: value for name, value in answer.headers.items() if name not in _THEIRS}
            streamed = StreamingResponse(answer.aiter_raw(), answer.status_code, kept)
            await streamed(scope, receive, send)
        finally:
            await answer.aclose()

    def _headers(self, request: Request, here: str) -> list[tuple[str, str]]:
        there = httpx.URL(self._url).netloc.decode()
        passed = [
            (name, value.strip().replace(here, there) if name in {"host", "origin"} else value.strip())
            for name, value in request.headers.items()
            if name not in _OURS
        ]
        return [*passed, ("authorization", f"Bearer {self._token}")]


@contextmanager
def start_bearer(url: str, token: str) -> Iterator[str]:
    """Serve it in front of ``url``; give where it is."""
    app: ASGIApp = _Bearer(url, token)
    with socket.create_server((HOST, 0)) as listener, serve_asgi(app, sock=listener):
        yield f"http://{HOST}:{listener.getsockname()[1]}/mcp"
