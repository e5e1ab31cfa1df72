"""The numbers of the Admin Panel: what there is, what works, and what wants somebody to do something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from latchpin.application import Application
from latchpin.contracts import NavigationEntry
from latchpin.gateways.connections import Connection
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller, Gateway
from latchpin.tokens.client_grant import needs_browser
from latchpin.web.routes_health import readiness

__all__ = ["Overview", "fill_cards", "look_over"]


@dataclass(frozen=True, slots=True)
class Overview:
    """What one user is told at a glance.

    Attributes:
        gateways: how many the user may use.
        working: at how many of them the user is connected, and the gateway can act.
        ended: where the user has to authorize again.
        open: where the user could authorize and has not.
        people: how many people are connected at all; None for who is no administrator.
        people_ended: how many connections of anybody have ended; None likewise.
        ready: both stores answer.
        reasons: why not, one sentence a store; for administrators.
    """

    gateways: int
    working: int
    ended: tuple[Gateway, ...]
    open: tuple[Gateway, ...]
    people: int | None
    people_ended: int | None
    ready: bool
    reasons: tuple[str, ...]


async def look_over(application: Application, caller: Caller) -> Overview:
    """Count for ``caller``.

    Raises:
        BackendUnavailable: a store cannot be asked.
    """
    gateways = await application.gateways.list(caller)
    everything = await application.connections.list(caller)
    own = {
        each.gateway.id: each
        for each in everything
        if each.serves and each.is_default and (each.owner == caller.email or each.shared)
    }
    people = [each for each in everything if each.owner not in {CLIENT_ITSELF, COMPANY}]
    ready = await readiness(application.services)
    return Overview(
        gateways=len(gateways),
        working=sum(each.health.authorized for each in own.values()),
        ended=tuple(
            each
            for each in gateways
            if each.id in own and not own[each.id].health.authorized and _may_connect(each, caller)
        ),
        open=tuple(
            each for each in gateways if needs_browser(each) and each.id not in own and _may_connect(each, caller)
        ),
        people=len({each.owner for each in people}) if caller.is_admin else None,
        people_ended=_count_ended(people) if caller.is_admin else None,
        ready=ready["ready"],
        reasons=_reasons(ready) if caller.is_admin else (),
    )


async def fill_cards(
    entries: Iterable[NavigationEntry], application: Application, caller: Caller
) -> list[tuple[NavigationEntry, str]]:
    """What plugins say on the overview: each card with its number."""
    return [(each, await each.number(application, caller)) for each in entries if each.number is not None]


def _may_connect(gateway: Gateway, caller: Caller) -> bool:
    return gateway.connection == "own" or caller.is_admin


def _count_ended(connections: Sequence[Connection]) -> int:
    return sum(not each.health.authorized for each in connections)


def _reasons(ready: dict[str, Any]) -> tuple[str, ...]:
    stores = (("state store", ready["state_store"]), ("record store", ready["record_store"]))
    return tuple(f"The {name} ({each['backend']}): {each['reason']}." for name, each in stores if not each["ready"])
