"""What a store could not do."""

from __future__ import annotations

from latchpin.errors.causes import installation
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
    """The store cannot be reached or does not answer; nothing is known to have happened.

    ``passing`` says whether it may be over in a moment by itself.
    """

    cause = installation.STORE_UNAVAILABLE
    operator_remedy = "Start the store, or correct the setting that names it; 'latchpin doctor' says more."
    retry_after: int = 2
    passing: bool = True


class SchemaOutdated(BackendError):
    """The database schema is not the one this version works with; stops the start.

    ``by_itself`` says that it does not: the start mends it by itself, and only a look at it as it is did not.
    """

    cause = installation.SCHEMA_OUTDATED
    by_itself: bool = False


class StateConflict(BackendError):
    """A state was put that exists already: the random source is broken, or a caller put twice."""

    cause = installation.STATE_CONFLICT


class RecordConflict(BackendError):
    """A record was changed, deleted or created by somebody else since it was read."""

    cause = installation.RECORD_CONFLICT
