"""Taking the address that is to be listened at, with words of our own where that fails."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import ExitStack
from typing import Any

from latchpin.errors import SettingsError

__all__ = ["bind", "url_of"]


def bind(host: str, port: int) -> list[socket.socket]:
    """Bind every address of ``host``, without listening yet: nobody can connect before there is somebody to answer.

    Raises:
        SettingsError: names HOST or PORT, and what helps.
    """
    with ExitStack() as stack:
        bound: list[socket.socket] = []
        missing: OSError | None = None
        for family, address in _look_up(host, port):
            try:
                bound.append(stack.enter_context(_bind(family, address)))
            except OSError as exc:
                if exc.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise _explain(exc, str(address[0]), port) from exc
                missing = exc  # a name such as localhost may have an IPv6 address that this machine has not
        if not bound:
            raise _explain(missing or OSError(errno.EADDRNOTAVAIL, ""), host, port) from missing
        stack.pop_all()
        return bound


def url_of(bound: socket.socket) -> str:
    """Where a bound socket is reached, as a URL."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _look_up(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise SettingsError(
            f"HOST holds {host[:100]!r}, which is no address and no name that can be looked up",
            remedy="Set HOST or --host to an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0.",
        ) from exc
    return list(dict.fromkeys((int(family), tuple(address)) for family, _, _, _, address in found))


def _bind(family: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix" and sys.platform != "cygwin":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.set_inheritable(True)
    except OSError:
        sock.close()
        raise
    return sock


def _explain(error: OSError, host: str, port: int) -> SettingsError:
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            f"PORT {port} is in use: another program listens at {host}",
            remedy=f"End it (see: ss -ltnp 'sport = :{port}'), or choose another port with --port or PORT.",
        )
    if error.errno == errno.EACCES:
        return SettingsError(
            f"PORT {port} may not be taken by this user: {error.strerror}",
            remedy="Choose a port of 1024 or more with --port or PORT, and let a proxy in front have the low one.",
        )
    return SettingsError(
        f"HOST holds {host[:100]!r}, which is no address of this machine: {error.strerror}",
        remedy="Set HOST or --host to one of its addresses (see: ip address), or to 0.0.0.0 for all.",
    )
