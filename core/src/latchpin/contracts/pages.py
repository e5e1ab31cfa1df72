"""How a plugin's own pages are reached from the core's, and what it adds to others' pages and numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from latchpin.model import Caller

__all__ = ["ConnectionNotes", "Gauge", "NavigationEntry"]


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link to one of a plugin's pages. It decides who sees the link; the page itself checks who may open it.

    Attributes:
        label: what people read.
        path: from the gateway's root, beginning with ``/``. At the places ``gateway``, ``gateway-page`` and
            ``endpoint`` it holds ``{gateway_id}``, at ``flow`` it holds ``{flow_id}``.
        description: one sentence, shown with the link in the menu.
        place: ``menu`` is on every page, ``overview`` a card on the first one, ``gateways`` beside the list of
            gateways, ``gateway`` at each one in it, ``gateway-page`` on the page of one; ``flow`` is where one flow can
            be looked at, and a failure links there. ``endpoint`` is no page: it is where MCP clients reach a gateway,
            shown to be copied.
        group: under which heading of the menu it stands.
        admin_only: shown to administrators only.
        rank: lower stands first.
        number: what an overview's card says, for the running gateway (``latchpin.sdk.gateway.Application``) and who
            looks.
    """

    label: str
    path: str
    description: str = ""
    place: Literal["menu", "overview", "gateways", "gateway", "gateway-page", "flow", "endpoint"] = "menu"
    group: Literal["overview", "gateways", "connections", "activity", "system"] = "system"
    admin_only: bool = False
    rank: int = 100
    number: Callable[[Any, Caller], Awaitable[str]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConnectionNotes:
    """Why connections need somebody, for the pages that show a person their connections.

    Attributes:
        find: gives it for the running gateway (``latchpin.sdk.gateway.Application``) and who looks: sentences by the
            gateway's id, of the connections that they can mend. Those are their own, and for an administrator what all
            share.
    """

    find: Callable[[Any, Caller], Awaitable[Mapping[str, Sequence[str]]]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number about what stands at the moment, for who watches the gateway.

    Attributes:
        name: as in ``latchpin_<name>`` of /metrics: lower case, with underscores.
        about: one sentence.
        read: gives it for the running gateway (``latchpin.sdk.gateway.Application``), at most twice a minute; None
            where there is none now. It must not read through everything that is kept.
    """

    name: str
    about: str
    read: Callable[[Any], Awaitable[float | None]] = field(repr=False)
