"""What a cause is: everything that is said about one reason for a failure, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["OPAQUE", "SIGNATURE", "Cause", "Fault"]

Fault = Literal[
    "the person",
    "the administrator",
    "the authorization server",
    "the MCP server",
    "the store",
    "the gateway",
    "the maker of the link",
    "unknown",
]
"""Who can do something about it."""

OPAQUE = "Invalid or expired state parameter - possible replay attack"
SIGNATURE = "Invalid state signature - possible CSRF attack"


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a failure. Pages, problem documents, logs, metrics, ``doctor`` and the docs all read it.

    Attributes:
        slug: names it everywhere, and never changes: in answers, logs and metrics, and as a heading in the docs.
        fault: whose it is.
        status: of the HTTP answer.
        title: a heading.
        public: what anybody may read, without a flow's facts.
        happened: one sentence with a flow's own facts, which ``tell`` fills in; without a capital or a full stop,
            because it stands behind ``public`` and a colon.
        remedy: the one action that mends it.
        meaning: what it is, for the docs and the page of the cause. Names of settings stand in backquotes.
        see: the page below docs/troubleshoot/ that goes further, if there is one.
        general: the slug of the wider cause that this one is a case of. Who may not know the facts is told that one.
        stops: it stops the start, so that it hardly ever is an HTTP answer.
    """

    slug: str
    fault: Fault
    status: int
    title: str
    public: str
    happened: str
    remedy: str
    meaning: str
    see: str = ""
    general: str = ""
    stops: bool = False

    @property
    def anchor(self) -> str:
        """Where the docs explain it."""
        return f"errors.md#{self.slug}"

    def tell(self, **facts: object) -> str:
        """``happened`` with the facts of one flow.

        Raises:
            KeyError: a fact is missing.
        """
        return self.happened.format_map(facts)
