"""The listener of the question alone: on loopback or a unix socket, where nobody but this machine's programs ask."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from latchpin.errors import SettingsError
from latchpin.sdk.workers import which_worker

from latchpin_edge.settings import Listen

__all__ = ["OnlyHere", "bind", "came_aside", "socket_paths"]

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_ASIDE = "latchpin_edge.aside"
_PREFIX = "/edge/"


class OnlyHere:
    """An application of which only the question is served; all else is not there.

    Args:
        app: the gateway's.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
        """Serve one ASGI scope."""
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            await self._app({**scope, _ASIDE: True}, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def came_aside(scope: Scope) -> bool:
    """Whether a request came by this listener."""
    return scope.get(_ASIDE) is True


def bind(listen: Listen, *, workers: int) -> socket.socket:
    """Bind where EDGE_LISTEN says; of several workers each has a unix socket of its own, and all share an address.

    Raises:
        SettingsError: it cannot be had.
    """
    try:
        if listen.path:
            place = which_worker()
            return _bind_path(socket_paths(listen, workers)[0 if place is None else place[0] - 1])
        return _bind_address(listen, shared=workers > 1)
    except OSError as exc:
        where = listen.path or f"{listen.host}:{listen.port}"
        raise SettingsError(
            f"EDGE_LISTEN {where} cannot be had: {exc.strerror}",
            remedy="Choose another place with EDGE_LISTEN, or end the program that has it.",
        ) from exc


def socket_paths(listen: Listen, workers: int) -> list[str]:
    """The unix sockets of all workers."""
    return [listen.path] if workers == 1 else [f"{listen.path}.{number}" for number in range(1, workers + 1)]


def _bind_address(listen: Listen, *, shared: bool) -> socket.socket:
    [(family, kind, _, _, address), *_] = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_path(path: str) -> socket.socket:
    """A socket for its owner alone; one that was left there by a process that is gone makes room."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_left(path):
            Path(path).unlink()
        before = os.umask(0o177)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
    except OSError:
        sock.close()
        raise
    return sock


def _is_left(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            return True
    return False
