"""The connection that a thread keeps from one transaction to the next."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

__all__ = ["KeptConnection"]


class KeptConnection:
    """One connection of an engine, for the one thread that works with it.

    To take it from the pool for each transaction, and to give it back, would be a quarter of a small one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> Connection:
        """The connection; it is in no transaction. Raises as the driver does if there is none to be had."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def give_back(self) -> None:
        """Let the pool have it, which undoes what it had begun: something failed, or it is not needed any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def dispose(self) -> None:
        """Hang up."""
        self.give_back()
        self._engine.dispose()
