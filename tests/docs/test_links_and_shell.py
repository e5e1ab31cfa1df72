"""Links lead somewhere, shell blocks name what exists, and snippets marked ``<!-- run -->`` run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import checks, interfaces
from tests.docs.checks import ROOT, Block, Page, pages, parse

PAGES = pages()
RUNNABLE = [(page, block) for page in PAGES for block in page.blocks if block.runnable]


@pytest.fixture(autouse=True)
def _no_log_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FILE", "")


def name_of(value: object) -> str | None:
    if isinstance(value, Page):
        return str(value.path.relative_to(ROOT))
    return f"line {value.line}" if isinstance(value, Block) else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page: Page):
    assert checks.about_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_shell(page: Page):
    known = interfaces.known_settings().keys() | interfaces.secret_files()
    assert checks.about_shell(page, interfaces.known_commands(), known, ROOT / "Makefile") == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_excerpts(page: Page):
    assert checks.about_excerpts(page) == []


@pytest.mark.parametrize(("page", "block"), RUNNABLE, ids=name_of)
def test_runnable_snippets(page: Page, block: Block, tmp_path: Path):
    done = run(block, tmp_path)
    assert done.returncode == 0, f"{page.path}:{block.line}\n{done.stdout}{done.stderr}"


def test_there_are_runnable_snippets():
    assert len(RUNNABLE) >= 4


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a snippet in an empty folder, with the installed command and nobody's settings."""
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


# -- the checks fail when they should ---------------------------------------------------------------------


def test_a_broken_link_is_seen():
    page = parse("# One\n[a](nowhere.md) [b](settings.md#nothing) [c](#one) [d](settings.md#logs) [e](http://x.y/)\n")
    assert checks.about_links(page) == [
        "nowhere.md: there is no such file",
        "settings.md#nothing: there is no such heading",
        "http://x.y/: nobody checks whether that is there",
    ]


def test_a_wrong_command_is_seen():
    page = parse(
        "```bash\n"
        "CACHE_TIPE=redis\n"
        "make sandwich\n"
        "latchpin serv --workers 4\n"
        "T=$(latchpin token create --mail a@b.c)\n"
        "latchpin gateways add https://mcp.example.com/mcp --name Example\n"
        "```\n"
    )
    assert checks.about_shell(page, interfaces.known_commands(), interfaces.known_settings(), ROOT / "Makefile") == [
        "CACHE_TIPE is no setting",
        "make sandwich: no such target",
        "latchpin serv --workers 4: no such command",
        "latchpin token create has no --mail",
    ]


def test_a_wrong_excerpt_is_seen():
    page = parse("<!-- from: Makefile -->\n```make\nhelp: ## hide this list\n```\n")
    assert checks.about_excerpts(page) == ["line 2: not in Makefile"]


def test_a_failing_snippet_is_seen(tmp_path: Path):
    block = parse("<!-- run -->\n```bash\nlatchpin plugins --jason | head -1\n```\n").blocks[0]
    assert block.runnable
    assert run(block, tmp_path).returncode != 0
