"""What became of each thing that was to be taken over, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["KINDS", "Kind", "LeftOut", "Outcome", "Report", "Row"]

Kind = Literal["gateway", "client", "token", "key"]
Outcome = Literal["new", "there", "left out"]
KINDS: tuple[Kind, ...] = ("gateway", "client", "token", "key")


class LeftOut(Exception):
    """One thing is not taken over.

    Args:
        why: in a sentence without a full stop, without a secret.
        remedy: what helps.
    """

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of the other gateway.

    Attributes:
        gateway: the name of its gateway there.
        whose: a token's person, a client's issuer, else nothing.
        outcome: ``new`` if it was taken over, or would be; ``there`` if Latchpin has it already.
        why: why it was left out, or what of it was.
        remedy: what helps.
    """

    kind: Kind
    gateway: str
    outcome: Outcome
    whose: str = ""
    why: str = ""
    remedy: str = ""

    @property
    def named(self) -> str:
        """What people call it."""
        return f"{self.kind} {self.gateway}" + (f", {self.whose}" if self.whose else "")


@dataclass(frozen=True, slots=True)
class Report:
    """All of them.

    Attributes:
        written: false for a dry run.
        notes: what holds for all of it.
    """

    rows: tuple[Row, ...]
    written: bool
    notes: tuple[str, ...] = ()

    @property
    def left_out(self) -> Sequence[Row]:
        """What is not taken over."""
        return [row for row in self.rows if row.outcome == "left out"]

    @property
    def told(self) -> Sequence[Row]:
        """What there is a word to say of: what is left out, and what is not as it was."""
        return [row for row in self.rows if row.why]

    def counts(self) -> Sequence[tuple[str, ...]]:
        """A line for each kind: how many are new, there already, and left out."""
        found = Counter((row.kind, row.outcome) for row in self.rows)
        outcomes: tuple[Outcome, ...] = ("new", "there", "left out")
        return [(f"{kind}s", *(str(found[kind, outcome]) for outcome in outcomes)) for kind in KINDS]

    def describe(self) -> dict[str, Any]:
        """For programs. No secret is in it."""
        return {"written": self.written, "rows": [asdict(row) for row in self.rows], "notes": list(self.notes)}
