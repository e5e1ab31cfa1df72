"""Commands that other distributions bring: who types one that is not installed is told which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

import typer

from latchpin.errors import PluginError

__all__ = ["ELSEWHERE", "add_missing"]

ELSEWHERE: Mapping[str, str] = {
    "audit": "latchpin-audit",
    "db": "latchpin-sql-store",
    "demo": "latchpin-demo",
}
"""The first word of the command line, and the distribution that brings it."""
_WHATEVER_FOLLOWS = {"ignore_unknown_options": True, "allow_extra_args": True}


def add_missing(app: typer.Typer) -> None:
    """Add a hidden command in the place of each that is not installed; it says what to install."""
    for name, distribution in ELSEWHERE.items():
        if not _is_installed(distribution):
            explain = _explain(name, distribution)
            app.command(name, hidden=True, add_help_option=False, context_settings=_WHATEVER_FOLLOWS)(explain)


def _explain(name: str, distribution: str) -> Callable[[], None]:
    def explain() -> None:
        raise PluginError(
            f"'latchpin {name}' comes with {distribution}, which is not installed",
            remedy=f"Install it: pip install {distribution}",
        )

    return explain


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
