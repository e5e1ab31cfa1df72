"""From which level on programs with sessions want log messages; those of 2026-07-28 say so in each request."""

from __future__ import annotations

from typing import Final

from latchpin.sdk.workers import Bounded

__all__ = ["LEVELS", "Levels"]

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
USUAL = "info"
_MOST = 20_000


class Levels:
    """The levels, by session, as this worker was told: elsewhere a session has the usual one."""

    def __init__(self) -> None:
        self._by_session: Bounded[str, str] = Bounded(_MOST)

    def of(self, session: str) -> str | None:
        """The session's level; None without a session."""
        return self._by_session.get(session, USUAL) if session else None

    def set(self, session: str, level: str) -> None:
        """Note what the program said."""
        self._by_session[session] = level
