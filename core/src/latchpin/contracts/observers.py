"""Who watches how long things take, what travels along with a request to another server, and what is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["ConnectionObserver", "Observer", "Operation", "OperationKind"]

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


class ConnectionObserver(Protocol):
    """Is told which connections are used. Each call waits for it: it must be quick and must not raise."""

    async def used(self, gateway_id: str, owner: str, label: str, *, anew: bool) -> None:
        """A connection is used now: its token is given out for a call. A renewal in the background is no use.

        Args:
            gateway_id: at which gateway.
            owner: whose it is: a person's address, ``COMPANY`` or ``CLIENT_ITSELF``.
            label: of the account, ``""`` for the one without.
            anew: it is being authorized, or its key was entered.
        """
