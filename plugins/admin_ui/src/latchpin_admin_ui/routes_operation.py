"""What an operator looks at: settings and plugins; for administrators."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import SettingsError
from latchpin.sdk.assembly import (
    OfferRow,
    Plugins,
    build_plugin_report,
    changed_settings,
    doubtful_settings,
    shown_settings,
)
from latchpin.sdk.web import AdminCaller

from latchpin_admin_ui.pages import show

__all__ = ["router"]

CORE = "latchpin"

router = APIRouter(prefix="/admin", include_in_schema=False)


def _plugins_of(request: Request) -> Plugins:
    plugins: Plugins = request.app.state.plugins
    return plugins


@router.get("/settings")
async def show_settings(request: Request, caller: AdminCaller, q: str = "") -> Response:
    """Every setting, what was changed first, then by who reads it; secrets are masked."""
    plugins = _plugins_of(request)
    shown: Mapping[str, Mapping[str, str]] = {}
    changed: Mapping[str, str] = {}
    wrong = ""
    try:
        shown, changed = shown_settings(plugins), changed_settings(plugins)
    except SettingsError as exc:  # .env was changed since the start
        wrong = exc.public
    kept = {reader: _find(values, q, changed) for reader, values in shown.items()}
    return await show(
        request,
        caller,
        "settings",
        title="Settings",
        wanted=q,
        changed=[(name, value, changed[name]) for values in kept.values() for name, value in values if name in changed],
        others={
            reader: [(name, value) for name, value in values if name not in changed]
            for reader, values in kept.items()
            if any(name not in changed for name, _ in values)
        },
        wrong=wrong,
        misspelt=doubtful_settings(plugins),
    )


def _find(values: Mapping[str, str], wanted: str, changed: Mapping[str, str]) -> list[tuple[str, str]]:
    """The settings whose name, value or default has ``wanted`` in it."""
    return [(name, value) for name, value in values.items() if _has(wanted, name, value, changed.get(name, ""))]


def _has(wanted: str, *texts: str) -> bool:
    return any(wanted.strip().lower() in text.lower() for text in texts)


@router.get("/plugins")
async def show_plugins(request: Request, caller: AdminCaller, q: str = "") -> Response:
    """What each installed distribution offers, what is selected, and why; what is built in comes last."""
    report = build_plugin_report(_plugins_of(request))
    by_distribution: dict[str, list[OfferRow]] = {}
    for row in sorted(report.rows, key=lambda row: (row.distribution == CORE, row.distribution)):
        if _has(q, row.distribution, row.plugin, row.offers, row.name, row.selected):
            by_distribution.setdefault(row.distribution, []).append(row)
    return await show(
        request, caller, "plugins", title="Plugins", wanted=q, report=report, by_distribution=by_distribution
    )
