"""What each answer to a refresh leads to, from the table that ``tests/token_refresh`` proves."""

from __future__ import annotations

from collections.abc import Iterator

from tests.token_refresh.outcomes import OUTCOMES

__all__ = ["outcomes"]

_HEAD = "| the server's answer | a caller whose token is still valid gets | a caller whose token has expired gets | what is stored | another try |"  # noqa: E501


def outcomes() -> Iterator[str]:
    """A row for each outcome."""
    yield from (_HEAD, "|---|---|---|---|---|")
    yield from (f"| {' | '.join(outcome.row())} |" for outcome in OUTCOMES)
