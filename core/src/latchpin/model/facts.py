"""The table of facts: everything that the gateway tells, each once, with what it means and what comes with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

__all__ = ["FACTS", "Detail", "Fact", "FactKind", "FactName", "OwnFact"]

FactName = Literal[
    "flow.step",
    "authorization.completed",
    "token.obtained",
    "key.entered",
    "token.refreshed",
    "token.spent",
    "token.refused",
    "grant.dated",
    "authorization.declined",
    "token.disconnected",
    "connection.stays",
    "tokens.revoked",
    "tools.fetched",
    "gateway.created",
    "gateway.changed",
    "gateway.removed",
    "client.deleted",
    "person.signed-in",
    "person.signed-out",
    "person.ended",
    "person.restored",
    "break-glass.begun",
    "break-glass.done",
]
Detail: TypeAlias = str | int | float | bool | tuple[str, ...] | None

_OWN_NAME = re.compile(r"[a-z][a-z-]*\.[a-z][a-z-]*")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. Nothing in it is a secret.

    Attributes:
        name: what; those of the gateway itself are in ``FACTS``, a plugin's own are each an ``OwnFact``.
        at: when.
        actor: the address of who did it, or ``CLIENT_ITSELF`` for the gateway; ``""`` where it was no act of anybody.
        subject: the address of whose connection or flow it concerns; ``""`` where it is nobody's.
        gateway_id: at which gateway; ``""`` where none, or where that is not proven.
        details: what else its kind says. No address is in them.
    """

    name: str
    at: datetime
    actor: str = ""
    subject: str = ""
    gateway_id: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FactKind:
    """What a name stands for.

    Attributes:
        meaning: one sentence.
        details: the names of its details; those in brackets may be missing.
        line: what the log says of it, made of the fact's attributes and details; ``""`` for nothing.
        level: how loud.
    """

    meaning: str
    details: str = ""
    line: str = ""
    level: int = logging.INFO


FACTS: Mapping[FactName, FactKind] = {
    "flow.step": FactKind(
        "A flow went one step on, or failed.", "flow_id step seconds worker outcome [cause during], and the step's own"
    ),
    "authorization.completed": FactKind("A user authorized; the tokens are kept.", "flow_id [account]"),
    "token.obtained": FactKind("The gateway got a token without a browser."),
    "key.entered": FactKind(
        "An API key was tried at its server, and is kept.",
        "[account]",
        line="%(actor)s entered an API key for gateway %(gateway_id)s, user %(subject)s",
    ),
    "token.refreshed": FactKind(
        "A user's token was renewed.", line="Refreshed the token for gateway %(gateway_id)s, user %(subject)s"
    ),
    "token.spent": FactKind(
        "The server takes a user's refresh token no more.",
        line="The refresh token for gateway %(gateway_id)s, user %(subject)s is spent",
        level=logging.WARNING,
    ),
    "token.refused": FactKind(
        "An MCP server refused a person's token, or wants more scopes than it has.", "connection authorization [wanted]"
    ),
    "grant.dated": FactKind("A server said until when a refresh token is good.", "connection authorization ends"),
    "authorization.declined": FactKind("A person was asked to authorize, and does without.", "connection"),
    "token.disconnected": FactKind("A person ended a connection.", "[account]"),
    "connection.stays": FactKind("Everything of an administrator ended, but an account they connected for all stays."),
    "tokens.revoked": FactKind("A removed gateway's tokens were taken to its server.", "revoked not_revoked"),
    "tools.fetched": FactKind(
        "A gateway's tools were fetched for a user.",
        "count",
        line="Fetched %(count)d tools for gateway %(gateway_id)s, user %(subject)s",
    ),
    "gateway.created": FactKind("A gateway was created.", line="Created gateway %(gateway_id)s"),
    "gateway.changed": FactKind(
        "A gateway was changed.",
        "revision changed [tokens]",
        line="Changed gateway %(gateway_id)s to revision %(revision)s",
    ),
    "gateway.removed": FactKind("A gateway was removed.", line="Removed gateway %(gateway_id)s"),
    "client.deleted": FactKind("A registered client was deleted."),
    "person.signed-in": FactKind("A person signed in.", "way"),
    "person.signed-out": FactKind(
        "A person's sessions and bearer tokens were ended, by an administrator or by what knows that they left.",
        "way",
    ),
    "person.ended": FactKind(
        "Everything of a person was ended, and they are kept out.",
        "way connections",
        line="%(actor)s ended everything of %(subject)s, who is out now",
    ),
    "person.restored": FactKind(
        "A person who was out was let in again.", "way", line="%(actor)s let %(subject)s in again"
    ),
    "break-glass.begun": FactKind("Somebody began to take everything back."),
    "break-glass.done": FactKind(
        "Everything was taken back.", "connections revoked not_revoked authorizations seconds_here seconds"
    ),
}
"""What the gateway itself tells."""


@dataclass(frozen=True, slots=True)
class OwnFact:
    """A fact that a plugin tells: what stands for it beside ``FACTS``.

    Attributes:
        name: two words with a dot between them, such as ``grant.ended``; none of the gateway's.
        kind: what it stands for.
    """

    name: str
    kind: FactKind

    def __post_init__(self) -> None:
        """Refuse a name that readers could take for another fact."""
        if self.name in FACTS or not _OWN_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for a plugin's fact: two words, and none of the gateway's")
