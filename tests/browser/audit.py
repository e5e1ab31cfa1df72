"""axe-core over a page: what people who cannot see well, or use no mouse, would stumble over."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

__all__ = ["grave_findings"]

_GRAVE = {"serious", "critical"}


def grave_findings(page: Page) -> list[str]:
    """Each serious or critical finding, with the elements it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in _GRAVE
    ]
