"""The command line knows its commands by a line each, and loads one, with no more than it needs, when it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from latchpin.commands.command_line import COMMANDS, build
from latchpin.plugins import hookspecs
from latchpin.plugins.host import Plugins
from typer.testing import CliRunner

FOREIGN = (
    *("latchpin_demo.command", "latchpin_doctor.command", "latchpin_admin_cli.gateways"),
    *("alembic", "httpx._main", "httpx2", "jinja2", "mcp", "pygments", "redis", "rich", "sqlalchemy", "typer"),
)
"""What belongs to other commands, or is loaded when it is first needed."""

HEAVY = ("aiohttp", "asyncio", "cryptography", "fastapi", "httpx", "jwt", "pydantic_settings")
"""What only a command that does something needs."""

OURS_ALONE = """
from importlib.metadata import entry_points
from latchpin.plugins import host
host.entry_points = lambda group: [each for each in entry_points(group=group) if each.dist.name.startswith("latchpin")]
"""
"""A stranger's plugin may load what it likes."""

OFFERED = [*COMMANDS, *Plugins().values(hookspecs.COMMANDS)]


def modules_after(code: str) -> list[str]:
    """What a process of its own has imported when it has run ``code``."""
    environment = {"AUTH_ENCRYPTION_SECRET": "x" * 40, "LOG_FILE": "", "CACHE_TYPE": "none"}
    code = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()[-1].split()


def after_command(*words: str, before: str = "") -> list[str]:
    """The same for a command line."""
    return modules_after(
        f"{before}from latchpin.commands.main import main\nsys.argv = ['latchpin', *{words}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )


@pytest.mark.parametrize("command", OFFERED, ids=[each.name for each in OFFERED])
def test_the_list_of_commands_says_what_the_help_of_each_begins_with(command):
    root: Any = typer.main.get_command(build())
    loaded = root.get_command(None, command.name).load()
    first, _, _ = loaded.help.partition("\n\n")
    assert (loaded.name, " ".join(first.split())) == (command.name, command.about)


def test_all_are_listed_in_their_order():
    root: Any = typer.main.get_command(build())
    assert [name for name in root.list_commands(None) if not root.get_command(None, name).hidden] == [
        each.name for each in OFFERED
    ]


def test_what_follows_a_command_is_its_own():
    helped = CliRunner().invoke(build(), ["token", "create", "--help"])
    assert helped.exit_code == 0
    assert "latchpin token create" in helped.stdout.replace("root", "latchpin")
    assert CliRunner().invoke(build(), ["--", "secret", "generate"]).exit_code == 0


def test_a_word_that_is_almost_a_command_is_recognized():
    ended = CliRunner().invoke(build(), ["serv"])
    assert ended.exit_code == 2
    assert "No such command 'serv'. Did you mean 'serve'" in " ".join(ended.stderr.split())


@pytest.mark.parametrize(("typed", "offered"), [("latchpin se", "secret"), ("latchpin token cr", "create")])
def test_a_shell_completes_commands_and_what_is_in_them(typed: str, offered: str):
    environment = {"_LATCHPIN_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    ended = CliRunner().invoke(build(), prog_name="latchpin", env=environment)
    assert offered in ended.stdout.split()


def test_a_worker_loads_nothing_that_only_commands_need():
    loaded = modules_after("import latchpin.commands.main, latchpin.asgi")
    assert "latchpin.web.app" in loaded
    assert [name for name in FOREIGN if name in loaded] == []


def test_a_server_of_one_process_loads_nothing_that_prints_tables():
    loaded = modules_after("import typer; from latchpin.commands import serving; import latchpin.asgi")
    assert [name for name in ("rich", "pygments") if name in loaded] == []


@pytest.mark.needs("latchpin_sql_store")
def test_the_list_of_commands_loads_no_plugin_beyond_its_hooks():
    loaded = after_command("--help", before=OURS_ALONE)
    assert "latchpin_sql_store.plugin" in loaded
    beyond = (*HEAVY, "latchpin.application", "latchpin.model.gateway", "latchpin.settings", "packaging", "pydantic")
    assert [name for name in (*beyond, "rich") if name in loaded] == []


@pytest.mark.needs("latchpin_admin_cli")
@pytest.mark.parametrize("words", [("show",), ("example",)])
def test_to_look_at_settings_loads_no_gateway(words):
    loaded = after_command("config", *words, before=OURS_ALONE)
    assert "latchpin_sql_store.settings" in loaded
    gateway = ("aiohttp", "cryptography", "fastapi", "httpx", "jwt", "latchpin.application", "latchpin.services")
    assert [name for name in (*gateway, "sqlalchemy") if name in loaded] == []


def test_help_is_plain_and_leaves_out_no_word(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words in ([], ["token"]):
        helped = CliRunner().invoke(build(), [*words, "--help"])
        assert helped.exit_code == 0
        _usage, _, said = helped.stdout.partition("\n")
        assert [each for each in ("...\n", "\u256d") if each in said] == []


GATEWAY = ("aiohttp", "fastapi", "latchpin.application", "latchpin.services", "sqlalchemy", "starlette")
"""What opens or serves a gateway."""


def test_the_help_of_no_command_loads_a_gateway():
    loading = (
        "import typer\nfrom latchpin.commands.command_line import build\nroot = typer.main.get_command(build())\n"
        "for name in root.list_commands(None): root.get_command(None, name).load()"
    )
    loaded = modules_after(OURS_ALONE + loading)
    assert {each.app.partition(":")[0] for each in OFFERED if each.app.startswith("latchpin")} <= set(loaded)
    assert [name for name in GATEWAY if name in loaded] == []


def test_to_list_plugins_loads_nothing_that_only_serves():
    loaded = after_command("plugins", before=OURS_ALONE)
    assert "latchpin.assembly.plugin_report" in loaded
    beyond = (
        *GATEWAY,
        "cryptography",
        "httpx",
        "latchpin.identity.revocations",
        "latchpin.records",
        "latchpin.tokens",
    )
    assert [name for name in beyond if name in loaded] == []


@pytest.mark.needs("latchpin_connect")
def test_a_command_that_opens_nothing_loads_no_gateway():
    loaded = after_command("clients", "list", before=OURS_ALONE)
    assert "latchpin_connect.command" in loaded
    assert [name for name in ("aiohttp", "fastapi", "httpx", "latchpin.application") if name in loaded] == []


def test_a_command_of_the_core_loads_no_plugin():
    loaded = after_command("secret", "generate")
    assert [
        name for name in loaded if name in HEAVY or (name.startswith("latchpin_") and name.endswith(".plugin"))
    ] == []


def test_a_command_looks_for_no_circles_not_even_at_its_end():
    before = "import gc\nbegun = []\ngc.callbacks.append(lambda phase, info: begun.append(info['generation']))\n"
    loaded = modules_after(
        f"{before}from latchpin.commands.main import main\nsys.argv = ['latchpin', '--help']\nbegun.clear()\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not begun and gc.get_freeze_count(), begun"
    )
    assert "latchpin.commands.command_line" in loaded


@pytest.mark.needs("latchpin_sql_store")
def test_a_worker_on_sqlite_loads_no_other_store_and_nothing_that_it_does_not_serve(tmp_path: Path):
    """Alembic comes once, to make the schema; where that is there, the next process does without."""
    serving = (
        f"import asyncio, os; os.environ |= {{'CACHE_TYPE': 'database', 'DATABASE_URL': 'sqlite:///{tmp_path}/x.db'}}\n"
        "from latchpin.asgi import app\n"
        "async def serve():\n"
        "    async with app.router.lifespan_context(app): pass\n"
        "asyncio.run(serve())"
    )
    modules_after(serving)
    loaded = modules_after(serving)
    assert "latchpin_sql_store.write_queue" in loaded
    beyond = (
        "aiosmtplib",
        "alembic",
        "hiredis",
        "httpx2",
        "latchpin_key_value",
        "mako",
        "mcp",
        "psycopg",
        "pymysql",
        "redis",
        "rich",
        "yaml",
    )
    assert [name for name in (*beyond, "sqlalchemy.dialects.mysql", "sqlalchemy.orm", "typer") if name in loaded] == []
