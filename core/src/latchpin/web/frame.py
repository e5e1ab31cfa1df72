"""What surrounds every page that a signed-in person sees: who it is, the menu, and the proof for its forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from latchpin.contracts import NavigationEntry
from latchpin.model import Caller
from latchpin.web.csrf import csrf_token
from latchpin.web.identity import services_of

__all__ = ["frame", "navigation_for"]


async def frame(request: Request, caller: Caller) -> dict[str, Any]:
    """The arguments of ``render`` that are the same for every page shown to ``caller``."""
    base = services_of(request).settings.base_path
    return {
        "base": base,
        "caller": caller.email,
        "csrf_token": await csrf_token(request, caller),
        "admin": caller.is_admin,
        "navigation": navigation_for(request, caller),
        "here": request.url.path.removeprefix(base),
    }


def navigation_for(request: Request, caller: Caller) -> Sequence[NavigationEntry]:
    """The links to plugins' pages that ``caller`` is shown."""
    offered: Sequence[NavigationEntry] = getattr(request.app.state, "navigation", ())
    shown = [entry for entry in offered if caller.is_admin or not entry.admin_only]
    return sorted(shown, key=lambda entry: (entry.rank, entry.label))
