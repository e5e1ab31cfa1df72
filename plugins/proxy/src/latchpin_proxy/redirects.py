"""Where servers sent requests before: for those too large to be repeated, which have one try."""

from __future__ import annotations

from latchpin.model import Gateway

__all__ = ["Redirects"]

_MOST_REMEMBERED = 10_000


class Redirects:
    """The newest redirect of each gateway's URL, as this worker saw it."""

    def __init__(self) -> None:
        self._targets: dict[tuple[str, str], str] = {}

    def begin(self, gateway: Gateway) -> str:
        """Where a request that cannot be repeated goes."""
        return self._targets.get((gateway.id, gateway.url), gateway.url)

    def learn(self, gateway: Gateway, target: str) -> None:
        """Remember where the server wants requests, within its origin."""
        if target == gateway.url:
            self._targets.pop((gateway.id, gateway.url), None)
            return
        while len(self._targets) >= _MOST_REMEMBERED:
            self._targets.pop(next(iter(self._targets)))
        self._targets[gateway.id, gateway.url] = target
