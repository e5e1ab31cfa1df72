"""How many authorizations may be begun and not finished: a flood ends here, before it costs a store anything."""

from __future__ import annotations

from collections import Counter, deque
from datetime import datetime, timedelta

from latchpin.contracts import Clock
from latchpin.errors import TooManyPending

__all__ = ["Admission"]


class Beginning:
    """The context manager that ``Admission.beginning`` gives; a generator would cost an authorization 2 us more."""

    __slots__ = ("_admission", "_flow_id")

    def __init__(self, admission: Admission, flow_id: str) -> None:
        self._admission = admission
        self._flow_id = flow_id

    def __enter__(self) -> None:
        """It is counted already."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """What failed to begin does not count."""
        if kind is not None:
            self._admission.release(self._flow_id)


class Admission:
    """Counts this process's unfinished flows, per user and in all; a flow counts until it ends or expires.

    Args:
        per_user: the most that one user may have.
        total: the most that all may have.
        lifetime: how long an unfinished flow counts.
        clock: tells the time.
    """

    def __init__(self, *, per_user: int, total: int, lifetime: timedelta, clock: Clock) -> None:
        self._per_user = per_user
        self._total = total
        self._lifetime = lifetime
        self._clock = clock
        self._order: deque[tuple[datetime, str]] = deque()
        self._owner: dict[str, str] = {}
        self._count: Counter[str] = Counter()

    def beginning(self, flow_id: str, email: str) -> Beginning:
        """Count one more, unless it cannot be begun; raises as ``admit`` does."""
        self.admit(flow_id, email)
        return Beginning(self, flow_id)

    def admit(self, flow_id: str, email: str) -> None:
        """Count one more, or raise TooManyPending."""
        now = self._clock()
        self._expire(now)
        if self._count[email] >= self._per_user:
            raise TooManyPending(
                f"you have {self._per_user} unfinished authorizations; the limit is MAX_PENDING_PER_USER"
            )
        if len(self._owner) >= self._total:
            raise TooManyPending(f"{self._total} authorizations are unfinished; the limit is MAX_PENDING")
        self._order.append((now + self._lifetime, flow_id))
        self._owner[flow_id] = email
        self._count[email] += 1

    def release(self, flow_id: str) -> None:
        """The flow ended, here; one that was begun in another process is not known and does no harm."""
        if (email := self._owner.pop(flow_id, None)) is not None:
            self._count[email] -= 1
            if not self._count[email]:
                del self._count[email]

    def _expire(self, now: datetime) -> None:
        while self._order and self._order[0][0] <= now:
            self.release(self._order.popleft()[1])
