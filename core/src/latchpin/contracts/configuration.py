"""What is entered here, as files say it: the kinds of entries that plugins offer, and where secrets of files are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pydantic import BaseModel

    from latchpin.model import Caller

__all__ = [
    "ConfigurationEntries",
    "ConfigurationKind",
    "EntryNames",
    "EntryNotes",
    "PlannedEntry",
    "SecretScheme",
    "StandingEntry",
]


@dataclass(frozen=True, slots=True)
class StandingEntry:
    """An entry as it is kept now.

    Attributes:
        name: what files call it.
        id: what is kept and pages call it; no file does.
        said: its members as a file says them, without secrets, and without those that are as they are by default.
        secrets: the secrets that it has, each by its place, as in ``oauth_config.client_secret``, with a function that
            says in constant time whether a text is it.
        held: the kind's own: what ``put`` replaces and ``restore`` brings back.
    """

    name: str
    id: str
    said: Mapping[str, Any]
    secrets: Mapping[str, Callable[[str], bool]] = field(default_factory=dict, repr=False)
    held: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PlannedEntry:
    """An entry as it will be.

    Attributes:
        said: as a ``StandingEntry`` has it.
        warnings: what goes with the change and does not come back, a sentence each.
    """

    said: Mapping[str, Any]
    warnings: Sequence[str] = ()


class EntryNames(Protocol):
    """Entries of other kinds by their names. Kinds of a lower rank are read, and written, before."""

    def id_of(self, kind: str, name: str) -> str:
        """Its id; while it is planned and not yet there, some id that no other has.

        Raises:
            InvalidRequest: there is none of that name, or there are several.
        """

    def name_of(self, kind: str, id: str) -> str | None:  # noqa: A002  the entry's own word
        """What files call it; None if it is gone."""


class ConfigurationEntries(Protocol):
    """The entries of one kind. ``BackendUnavailable`` is raised where the store cannot be asked."""

    async def read(self, names: EntryNames) -> Sequence[StandingEntry]:
        """All. Two may have one name: then no file can speak of either."""

    async def plan(
        self, name: str, entry: BaseModel, standing: StandingEntry | None, names: EntryNames
    ) -> PlannedEntry:
        """Judge an entry as the API would, and say what ``put`` would make of it. It writes nothing.

        What ``entry`` does not say is as it is by default; a secret that it does not say stays.

        Raises:
            InvalidRequest: it does not hold. A detail that begins with a member's place is shown at that member.
        """

    async def put(self, name: str, entry: BaseModel, standing: StandingEntry | None, names: EntryNames) -> str:
        """Make it, or put it in the place of ``standing``; return its id.

        Raises:
            Conflict: ``standing`` was changed since it was read.
        """

    async def remove(self, standing: StandingEntry) -> None:
        """Remove it, with all that is its own. Somebody else may have done so."""

    async def restore(self, standing: StandingEntry) -> None:
        """Bring it back as it was, where it was changed or removed since; what was dropped with it stays away."""


@dataclass(frozen=True, slots=True)
class ConfigurationKind:
    """A kind of entries that files may hold.

    Attributes:
        name: the key in files: lower case, plural.
        about: one sentence.
        entry: what an entry may say; each ``SecretStr`` in it is entered as a reference.
        open: gives the entries for the running gateway (``latchpin.sdk.gateway.Application``) and who changes them.
        rank: lower is written first and removed last.
    """

    name: str
    about: str
    entry: type[BaseModel]
    open: Callable[[Any, Caller], Awaitable[ConfigurationEntries]] = field(repr=False)
    rank: int = 100


@dataclass(frozen=True, slots=True)
class SecretScheme:
    """A place where secrets are that files refer to, as in ``vault:acme/github#secret``.

    Attributes:
        name: what stands before the colon: a word in lower case.
        about: what stands behind it, in one line.
        read: gives the secret for the running gateway (``latchpin.sdk.gateway.Application``) and what stands behind the
            colon. Raises InvalidRequest if there is none, whose text repeats nothing secret.
    """

    name: str
    about: str
    read: Callable[[Any, str], Awaitable[str]] = field(repr=False)


class EntryNotes(Protocol):
    """Something to know of entries before they are changed by hand, such as what rules them."""

    async def of(self, kind: str) -> Mapping[str, str]:
        """A sentence for each entry of a kind that has one, by the entry's id."""
