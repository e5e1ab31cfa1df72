"""What a store could not do."""

from __future__ import annotations

from latchpin.errors.root import LatchpinError

__all__ = [
    "BackendError",
    "BackendUnavailable",
    "RecordConflict",
    "SchemaOutdated",
    "StateConflict",
]


class BackendError(LatchpinError):
    """A store could not do its work."""


class BackendUnavailable(BackendError):
    """The store cannot be reached or does not answer; nothing is known to have happened."""

    code = "store-unavailable"
    status = 503
    title = "The store is not reachable"
    public = "The gateway's store is not reachable at the moment."
    remedy = "Try again in a moment; operators: see /ready and the log."
    retry_after: int = 2


class SchemaOutdated(BackendError):
    """The database schema is not the one this version works with; stops the start.

    ``by_itself`` says that it does not: the start mends it by itself, and only a look at it as it is did not.
    """

    code = "schema-outdated"
    status = 503
    title = "The database schema is not up to date"
    public = "The database schema is not up to date."
    remedy = "Run: latchpin db upgrade"
    by_itself: bool = False


class StateConflict(BackendError):
    """A state was put that exists already: the random source is broken, or a caller put twice."""

    code = "state-conflict"
    title = "That state exists already"


class RecordConflict(BackendError):
    """A record was changed, deleted or created by somebody else since it was read."""

    code = "record-conflict"
    status = 409
    title = "The record changed meanwhile"
    public = "The record was changed by somebody else meanwhile."
    remedy = "Read it again and repeat the change."
