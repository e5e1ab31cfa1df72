"""What an operator looks at: settings and plugins; for administrators."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import SettingsError
from latchpin.known_settings import misspelt_settings, shown_settings
from latchpin.plugin_report import OfferRow, build_plugin_report
from latchpin.plugins import Plugins
from latchpin.web.identity import require_admin

from latchpin_admin_ui.pages import show

__all__ = ["router"]

CORE = "latchpin"

router = APIRouter(prefix="/admin", include_in_schema=False)


def _plugins_of(request: Request) -> Plugins:
    plugins: Plugins = request.app.state.plugins
    return plugins


@router.get("/settings")
async def show_settings(request: Request) -> Response:
    """Every setting, by who reads it, with secrets masked."""
    caller, plugins = await require_admin(request), _plugins_of(request)
    shown: Mapping[str, Mapping[str, str]] = {}
    wrong = ""
    try:
        shown = shown_settings(plugins)
    except SettingsError as exc:  # .env was changed since the start
        wrong = exc.public
    return await show(
        request, caller, "settings", title="Settings", shown=shown, wrong=wrong, misspelt=misspelt_settings(plugins)
    )


@router.get("/plugins")
async def show_plugins(request: Request) -> Response:
    """What each installed distribution offers, what is selected, and why."""
    caller, report = await require_admin(request), build_plugin_report(_plugins_of(request))
    by_distribution: dict[str, list[OfferRow]] = {}
    for row in sorted(report.rows, key=lambda row: (row.distribution != CORE, row.distribution)):
        by_distribution.setdefault(row.distribution, []).append(row)
    return await show(request, caller, "plugins", title="Plugins", report=report, by_distribution=by_distribution)
