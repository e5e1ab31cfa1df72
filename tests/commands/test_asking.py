"""What cannot be taken back is asked for first; where nobody can be asked, the command says which option answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer
from latchpin.sdk.commands import confirm
from typer.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "Nothing was changed: nobody can be asked here. Run it again with --yes."


def ask(answer: str) -> Result:
    app = typer.Typer()

    @app.command()
    def remove() -> None:
        confirm("Remove it?")
        typer.echo("removed")

    return CliRunner().invoke(app, [], input=answer)


@pytest.mark.parametrize(
    ("answer", "code", "done", "said"),
    [("y\n", 0, True, ""), ("n\n", 1, False, "Aborted"), ("\n", 1, False, "Aborted"), ("", 2, False, NOBODY)],
    ids=["yes", "no", "only Enter", "nobody there"],
)
def test_it_goes_on_only_by_a_yes(answer: str, code: int, done: bool, said: str):
    ended = ask(answer)
    assert (ended.exit_code, "removed" in ended.stdout) == (code, done)
    assert "Remove it? [y/N]" in ended.stderr
    assert said in ended.stderr
    assert ("Aborted" in ended.stderr) is (said == "Aborted")


def test_nobody_is_asked_where_there_is_no_input_at_all(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(typer.Exit) as ended:
        confirm("Remove it?")
    assert ended.value.exit_code == 2
    assert NOBODY in capsys.readouterr().err


def test_every_command_asks_by_it():
    """Doctor alone goes on without a yes: it reports what it found."""
    sources = [*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    assert len(sources) > 100
    asking = {each.parent.name for each in sources if "typer.confirm(" in each.read_text(encoding="utf-8")}
    assert asking == {"commands", "latchpin_doctor"}
