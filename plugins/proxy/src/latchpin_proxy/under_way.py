"""How many exchanges are under way at this worker, of one person and in all: what is beyond is refused at once."""

from __future__ import annotations

from latchpin_proxy.errors import TooManyExchanges

__all__ = ["UnderWay"]


class UnderWay:
    """Counts them.

    Args:
        most: in all.
        most_per_user: of one person.
    """

    def __init__(self, most: int, most_per_user: int) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._of: dict[str, int] = {}
        self._in_all = 0

    def check(self, email: str) -> None:
        """Raises TooManyExchanges: one more of this person would be too many."""
        if self._in_all >= self._most:
            raise TooManyExchanges(f"{self._most} are under way at this worker")
        if self._of.get(email, 0) >= self._most_per_user:
            raise TooManyExchanges(f"{self._most_per_user} of yours are under way")

    def begin(self, email: str) -> None:
        """Count one more, until ``end``. Raises TooManyExchanges."""
        self.check(email)
        self._of[email] = self._of.get(email, 0) + 1
        self._in_all += 1

    def end(self, email: str) -> None:
        """Count one less."""
        self._in_all -= 1
        self._of[email] -= 1
        if not self._of[email]:
            del self._of[email]
