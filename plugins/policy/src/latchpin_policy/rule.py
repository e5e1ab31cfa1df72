"""A rule: whom it is about, where, and what it says of tools or scopes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from latchpin.model import Caller, Document
from latchpin.sdk.gateway import is_allowed

__all__ = ["MEMBERS", "Effect", "Rule", "When", "is_about"]

Effect = Literal["allow", "deny", "scopes"]
"""What a rule does: it lets tools through, holds tools back, or names the only scopes that may be asked for."""

When = Literal["always", "read-only", "not-read-only"]
"""Of which tools: all, those whose ``readOnlyHint`` is true, or all but those."""

MEMBERS = ("effect", "who", "gateway", "tools", "when", "scopes", "note")
"""What somebody enters of a rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        id: eight hexadecimal digits, or the name that a file gave it.
        who: addresses, ``*@domain`` or ``group:name``; empty: everyone.
        gateway: its id; ``""``: every gateway, also those to come.
        tools: names or patterns, as servers call their tools. Empty where it is about scopes.
        scopes: empty where it is about tools.
        note: why there is this rule.
        revision: of what is kept, for compare and swap.
    """

    id: str
    effect: Effect
    who: tuple[str, ...] = field(repr=False)
    gateway: str
    tools: tuple[str, ...]
    when: When
    scopes: tuple[str, ...]
    note: str
    created_at: datetime
    updated_at: datetime
    revision: int = 0

    @property
    def name(self) -> str:
        """What logs and explanations call it; no address is in it."""
        if self.effect == "scopes":
            return f"rule {self.id} (scopes {' '.join(self.scopes)[:100]})"
        condition = "" if self.when == "always" else f", {self.when}"
        return f"rule {self.id} ({self.effect} {' '.join(self.tools)[:100]}{condition})"

    @classmethod
    def read(cls, held: Document) -> Self:
        """What ``dump`` wrote."""
        body = held.body
        return cls(
            held.id,
            body["effect"],
            tuple(body["who"]),
            body["gateway"],
            tuple(body["tools"]),
            body["when"],
            tuple(body["scopes"]),
            body["note"],
            datetime.fromisoformat(body["created_at"]),
            datetime.fromisoformat(body["updated_at"]),
            held.revision,
        )

    def dump(self) -> Document:
        """As it is kept."""
        body: dict[str, Any] = {
            "effect": self.effect,
            "who": list(self.who),
            "gateway": self.gateway,
            "tools": list(self.tools),
            "when": self.when,
            "scopes": list(self.scopes),
            "note": self.note,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }
        return Document(self.id, body, revision=self.revision)

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"id": self.id, **self.dump().body, "revision": self.revision}


def is_about(rule: Rule, gateway_id: str, caller: Caller) -> bool:
    """Whether a rule is about what the caller does at a gateway. Administrators are people like others here."""
    person = Caller(caller.email, groups=caller.groups)
    return rule.gateway in {"", gateway_id} and is_allowed(person, rule.who)
