"""A free loopback port that stays ours while its server is down."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

__all__ = ["HOST", "Reservation"]

HOST = "127.0.0.1"


class Reservation:
    """Holds a port of the system's choosing by a socket that is bound and never listens.

    A server that sets SO_REUSEADDR, as nearly all do, can listen on the port meanwhile; the system gives it to
    nobody else; and while no server listens, connections are refused, as on any closed port. So no other
    process can take the port between choosing it and using it, or while a test has the server stopped.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
