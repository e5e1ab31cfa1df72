"""Who is told what happened, listeners at once and recorders so that it lasts; and how a plugin tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from latchpin.model.facts import Detail, Fact, OwnFact

__all__ = ["EventListener", "Recorder", "Teller"]


class EventListener(Protocol):
    """Is told what happened, after it happened. It must be quick and must not raise: it is called in the flow.

    One that sends what it hears elsewhere puts it into a queue, which a task that its ``open`` started works off. It
    leaves ``actor`` and ``subject`` out where people are not to be named.
    """

    def on_event(self, fact: Fact) -> None:
        """Take ``fact``; one of a name that it does not know too."""


class Recorder(Protocol):
    """Keeps what was done. A request is answered once each recorder has kept what it did.

    It is told every fact but the steps of flows, which go on while nobody may wait.
    """

    async def record(self, fact: Fact) -> None:
        """Return once ``fact`` is kept. What it raises is logged; what was done is not undone."""


class Teller(Protocol):
    """Tells what a plugin did: to the log, to every listener, and to every recorder."""

    async def tell(
        self, what: OwnFact, *, actor: str = "", subject: str = "", gateway_id: str = "", **details: Detail
    ) -> None:
        """Tell everybody, after it happened. Every recorder has kept it when this returns, or the log says what lacks.

        Args:
            what: the plugin's fact.
            actor: the address of who did it, or ``CLIENT_ITSELF`` for the gateway. The audit log keeps acts only: what
                has no actor is none.
            subject: the address of whom it concerns.
            gateway_id: at which gateway.
            details: what its kind names. No secret and no address is in them.
        """
