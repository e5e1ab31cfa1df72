"""The commands with their options, from the Typer applications."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from latchpin.commands.main import build

__all__ = ["commands"]


def commands() -> Iterator[str]:
    """A row for each command."""
    yield from ("| command | what it does | options |", "|---|---|---|")
    for path, command in _leaves(typer.main.get_command(build()), "latchpin"):
        text = " ".join((command.help or "").split())
        options = "<br>".join(_option(each) for each in command.params if each.opts[0].startswith("--"))
        yield f"| `{path}` | {text} | {options} |"


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name, child in (children or {}).items():
        yield from _leaves(child, f"{path} {name}")


def _option(parameter: Any) -> str:
    default = parameter.default
    shown = f" ({default})" if isinstance(default, int | str) and default not in ("", False, "{}") else ""
    return f"`{parameter.opts[0]}`{shown}: {parameter.help}"
