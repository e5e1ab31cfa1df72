"""What surrounds every page that a signed-in person sees: who it is, the menu, and the proof for its forms."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request

from latchpin.contracts import NavigationEntry
from latchpin.errors import LatchpinError
from latchpin.gateways.endpoint import mcp_endpoint
from latchpin.model import Caller
from latchpin.web.csrf import csrf_token
from latchpin.web.errors import navigation_of, wants_html
from latchpin.web.identity import services_of, valid_caller
from latchpin.web.menu import build_menu

__all__ = ["frame", "frame_for_anybody", "frame_of_failure", "mcp_url_of"]


async def frame(request: Request, caller: Caller) -> dict[str, Any]:
    """The arguments of ``render`` that are the same for every page shown to ``caller``."""
    base = services_of(request).settings.base_path
    navigation = _navigation_for(request, caller)
    return {
        "base": base,
        "caller": caller.email,
        "csrf_token": await csrf_token(request, caller),
        "admin": caller.is_admin,
        "navigation": navigation,
        "menu": build_menu(navigation, request.url.path.removeprefix(base)),
    }


async def frame_for_anybody(request: Request) -> dict[str, Any]:
    """The same for a page that is there for everybody: whoever is signed in has the menu there too."""
    try:
        caller = await valid_caller(request)
        if caller is not None:
            return await frame(request, caller)
    except LatchpinError:
        pass  # what decides who it is cannot be asked: the page is shown without a menu
    return {"base": services_of(request).settings.base_path}


async def frame_of_failure(request: Request, error: LatchpinError) -> dict[str, Any] | None:
    """The same for the page about ``error``; None where none is shown, or where a store would be waited for again."""
    if not wants_html(request) or error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return None
    return await frame_for_anybody(request)


def mcp_url_of(request: Request, gateway_id: str) -> str | None:
    """Where MCP clients reach that gateway; None where no plugin serves them."""
    return mcp_endpoint(navigation_of(request), services_of(request).settings.base_url, gateway_id)


def _navigation_for(request: Request, caller: Caller) -> Sequence[NavigationEntry]:
    """The links to plugins' pages that ``caller`` is shown."""
    shown = [entry for entry in navigation_of(request) if caller.is_admin or not entry.admin_only]
    return sorted(shown, key=lambda entry: (entry.rank, entry.label))
