"""Who watches how long things take, and what travels along with a request to another server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["Observer", "Operation", "OperationKind"]

OperationKind = Literal["request", "upstream", "store"]


@dataclass(slots=True)
class Operation:
    """Something that takes time: a request to the gateway, one from it to another server, a call of a store.

    Attributes:
        name: the request's method, or ``states.put`` and the like.
        facts: few and with few values: ``route`` and ``status`` of a request, ``host`` and ``status`` of one upstream.
            Some are known only at the end. No user, no secret, no query.
        carried: headers of W3C Trace Context: those that came with a request to the gateway; those that an observer
            puts in go out with a request upstream.
        outcome: ``ok``, or in a word what kept it from ending as it should.
    """

    kind: OperationKind
    name: str
    facts: dict[str, str] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    outcome: str = "ok"


class Observer(Protocol):
    """Is told when an operation begins and when it has ended. It must be quick and must not raise."""

    def begin(self, operation: Operation) -> Callable[[], None]:
        """``operation`` begins; what is returned is called once it has ended, in the same task."""
