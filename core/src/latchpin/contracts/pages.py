"""How a plugin's own pages are reached from the core's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["NavigationEntry"]


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link to one of a plugin's pages. It decides who sees the link; the page itself checks who may open it.

    Attributes:
        label: what people read.
        path: from the gateway's root, beginning with ``/``. At the places ``gateway`` and ``endpoint`` it holds
            ``{gateway_id}``.
        description: one sentence, shown with the link in the menu.
        place: ``menu`` is on every page, ``gateways`` beside the list of gateways, ``gateway`` at each one in it.
            ``endpoint`` is no page: it is where MCP clients reach a gateway, shown to be copied.
        group: under which heading of the menu it stands.
        admin_only: shown to administrators only.
        rank: lower stands first.
    """

    label: str
    path: str
    description: str = ""
    place: Literal["menu", "gateways", "gateway", "endpoint"] = "menu"
    group: Literal["overview", "gateways", "connections", "activity", "system"] = "system"
    admin_only: bool = False
    rank: int = 100
