"""What ``latchpin doctor`` runs: checks that core and plugins offer, and the findings that they give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from latchpin.contracts.backend import Backend, Clock, Context
    from latchpin.contracts.servers import Upstream
    from latchpin.contracts.stores import RecordStore, StateStore
    from latchpin.errors import LatchpinError

__all__ = ["Check", "CheckContext", "Finding", "Fix", "Instance", "Severity"]

SettingsT = TypeVar("SettingsT", bound="BaseSettings")


class Severity(StrEnum):
    """How a finding weighs. A failure breaks authorizations now or at the next start; a warning may later."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Fix:
    """Something that doctor may mend by itself, once it was allowed to.

    Attributes:
        what: one sentence that says what will be done, shown before anything is.
        apply: does it, and says in a sentence what came of it.
    """

    what: str
    apply: Callable[[], Awaitable[str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found out. No secret, and no user's address, is in any of it.

    Attributes:
        title: what holds, in one line.
        detail: this case's own facts; for ``skipped`` the reason.
        remedy: one action that mends it.
        command: the exact command for it, if there is one.
        cause: the error code that users would meet, a heading in docs/errors.md; ``""`` where none fits.
        gateway_id: the gateway it is about, None if it is about all of them.
    """

    severity: Severity
    title: str
    detail: str = ""
    remedy: str = ""
    command: str = ""
    cause: str = ""
    gateway_id: str | None = None
    fix: Fix | None = None

    @classmethod
    def of(cls, error: LatchpinError, title: str, *, command: str = "", fix: Fix | None = None) -> Self:
        """Say under ``title`` what a failure says that the gateway can name: its own words, remedy and cause."""
        detail, remedy = error.detail or error.public, error.for_operator()
        return cls(Severity.FAILURE, title, detail, remedy, command, error.code, fix=fix)


@dataclass(frozen=True, slots=True)
class Instance:
    """A serving process, as it announced itself in the record store.

    Attributes:
        id: the instance id that it signs into states.
        facts: what it runs with: host, process id, key ids, store names, BASE_URL. No secrets.
        seen_at: when it last said so.
    """

    id: str
    host: str
    facts: Mapping[str, str]
    seen_at: datetime


class CheckContext(Protocol):
    """What a check is given. What could not be had is None: the check says what it can without it."""

    @property
    def clock(self) -> Clock:
        """This machine's clock."""

    @property
    def offline(self) -> bool:
        """Other servers must not be asked (the gateway's own stores may)."""

    @property
    def gateway_id(self) -> str | None:
        """The one gateway that is asked about, by id or name; None for all."""

    @property
    def base_url(self) -> str:
        """BASE_URL, without a trailing slash; where it does not hold, its default."""

    @property
    def state_backend(self) -> Backend[Any, StateStore] | None:
        """The offer that CACHE_TYPE selects."""

    @property
    def record_backend(self) -> Backend[Any, RecordStore] | None:
        """The offer that RECORD_STORE selects."""

    @property
    def records(self) -> RecordStore | None:
        """The record store, if it could be opened."""

    @property
    def opened(self) -> Context | None:
        """What the gateway's parts are opened with, if it could be opened."""

    @property
    def upstream(self) -> Upstream | None:
        """The guarded way to other servers, if the gateway could be opened."""

    @property
    def instances(self) -> Sequence[Instance]:
        """The serving processes that announced themselves in the record store."""

    def load(self, model: type[SettingsT]) -> SettingsT:
        """Read a settings model; a value that does not hold is named by another check, and its default stands in."""


@dataclass(frozen=True, slots=True)
class Check:
    """One offer of the hook ``latchpin_checks``: a descriptor. Making one does no I/O.

    Attributes:
        name: unique among all checks; lower case.
        group: the heading it is shown under.
        title: what is being looked at, shown while it runs.
        run: finds out. What it raises becomes a failure of its own. Heavy imports belong in here.
    """

    name: str
    group: str
    title: str
    run: Callable[[CheckContext], Awaitable[Sequence[Finding]]] = field(repr=False)
