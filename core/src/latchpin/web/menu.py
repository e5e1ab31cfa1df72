"""The menu: five groups, each with the pages that the user may open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latchpin.contracts import NavigationEntry

__all__ = ["OWN_PAGES", "MenuGroup", "MenuPage", "build_menu"]

_GROUPS = {
    "overview": "Overview",
    "gateways": "Gateways",
    "connections": "Connections",
    "activity": "Activity",
    "system": "System",
}

OWN_PAGES = (
    NavigationEntry("Overview", "/", group="overview", rank=0),
    NavigationEntry("Gateways", "/admin/gateways", group="gateways", rank=0),
    NavigationEntry("Causes", "/problems", group="system", rank=910),
)
"""What is there without any plugin."""


@dataclass(frozen=True, slots=True)
class MenuPage:
    """A page of a group. ``current``: the user is on it."""

    label: str
    path: str
    current: bool
    description: str


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """A group that has a page for the user.

    Attributes:
        path: its first page.
        current: the user is on one of its pages, or on one below it.
    """

    label: str
    path: str
    current: bool
    pages: tuple[MenuPage, ...]


def build_menu(entries: Sequence[NavigationEntry], here: str) -> list[MenuGroup]:
    """The menu for somebody who may open ``entries`` and is at the path ``here``."""
    listed = sorted(
        (entry for entry in (*OWN_PAGES, *entries) if entry.place == "menu"), key=lambda each: (each.rank, each.label)
    )
    around = [entry for entry in listed if _holds(entry.path, here)]
    nearest = max(around, key=lambda each: len(each.path), default=None)
    menu = []
    for group, label in _GROUPS.items():
        pages = tuple(_page(each, here) for each in listed if each.group == group)
        if pages:
            current = nearest is not None and nearest.group == group
            menu.append(MenuGroup(label, pages[0].path, current, pages))
    return menu


def _page(entry: NavigationEntry, here: str) -> MenuPage:
    return MenuPage(entry.label, entry.path, entry.path == here, entry.description)


def _holds(path: str, here: str) -> bool:
    """Whether ``here`` is the page at ``path``, or one below it."""
    return here == path or (path != "/" and here.startswith(f"{path}/"))
