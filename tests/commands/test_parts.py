"""The command line is put together from parts, and a part brings along what its commands need and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from latchpin.commands.main import COMMANDS, build

FOREIGN = (
    *("latchpin_demo.command", "latchpin.commands.doctor", "latchpin_admin_cli.gateways"),
    *("alembic", "httpx2", "jinja2", "mcp", "redis", "sqlalchemy"),
)
"""What belongs to other commands, or is loaded when it is first needed."""


def commands_of(app: typer.Typer) -> dict[str, typer.core.TyperCommand]:
    return typer.main.get_command(app).commands  # type: ignore[attr-defined, no-any-return]


def test_every_command_of_the_core_is_named_with_the_module_that_has_it() -> None:
    ours = {
        name
        for module in dict.fromkeys(COMMANDS.values())
        for name in commands_of(build(next(each for each in COMMANDS if COMMANDS[each] == module)))
    }
    assert ours == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_put_together_alone_is_the_same(name: str) -> None:
    whole, alone = commands_of(build())[name], commands_of(build(name))[name]
    assert [each.name for each in alone.params] == [each.name for each in whole.params]
    assert set(getattr(alone, "commands", ())) == set(getattr(whole, "commands", ()))


@pytest.mark.parametrize("first", [None, "--version", "no-such-command"])
def test_anything_else_puts_all_of_them_together(first: str | None) -> None:
    assert set(COMMANDS) <= set(commands_of(build(first)))


def test_a_server_loads_nothing_that_only_other_commands_need() -> None:
    code = "import sys; from latchpin.commands.main import build; build('serve'); import latchpin.asgi; "
    code += "print(*sys.modules)"
    environment = {"AUTH_ENCRYPTION_SECRET": "x" * 40, "LOG_FILE": "", "CACHE_TYPE": "none"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.split()
    assert "latchpin.web.app" in loaded
    assert [name for name in FOREIGN if name in loaded] == []
