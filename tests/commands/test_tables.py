"""Tables as a terminal and as a pipe get them, and ids that can be typed again."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from latchpin.commands.command_line import build
from latchpin.commands.console import opened
from latchpin.commands.tables import print_table, width_of_output
from latchpin.errors import NotFound
from latchpin_flows.inspector import open_inspector
from typer.testing import CliRunner, Result

from tests.records.stores import sample_flow

IDS = ("0123456789abcdef0123456789abcdef", "0123456789ffffff0123456789abcdef", "fedcba9876543210fedcba9876543210")
COLUMNS = ("id", "name", "url")
LONG = "https://mcp.example.com/a/path/that/goes/on/and/on/mcp"
ROWS = [(IDS[0], "One of\nthem", LONG), (IDS[2], "\u6771\u4eac [bold]", "")]


def printed(capsys: pytest.CaptureFixture[str], rows: list[tuple[str, ...]]) -> list[str]:
    print_table(COLUMNS, rows, ids={"id"})
    return capsys.readouterr().out.splitlines()


def test_in_a_pipe_each_row_is_one_line_without_a_frame(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of_output() is None
    assert printed(capsys, ROWS) == [
        "id" + " " * 32 + "name         url",
        f"{IDS[0]}  One of them  {LONG}",
        f"{IDS[2]}  \u6771\u4eac [bold]",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_columns_is_obeyed_and_nothing_is_cut_off(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(capsys, ROWS)
    assert max(map(len, lines)) <= width
    assert not set("".join(lines)) & set("\u2502\u2503\u2501\u2500\u2026\x1b")
    column = lines[0].index("url")
    assert "".join(line[column:] for line in lines[1:]) == LONG
    assert any(line.startswith((IDS[0], IDS[0][:8])) for line in lines)


@pytest.mark.parametrize(("width", "shown"), [(200, IDS), (40, tuple(each[:11] for each in IDS))])
def test_an_id_is_whole_or_as_short_as_it_can_be_told_from_the_others(capsys, monkeypatch, width, shown):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(capsys, [(each, "a", "b" * 20) for each in IDS])
    assert tuple(line.split()[0] for line in lines[1:]) == shown


@pytest.mark.parametrize("said", ["", "0", "-5", "many"])
def test_what_is_no_number_of_columns_does_not_count(monkeypatch, said):
    monkeypatch.setenv("COLUMNS", said)
    assert width_of_output() is None


def test_a_terminal_is_as_wide_as_it_is(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert width_of_output() is not None


# -- ids that were shown are taken ------------------------------------------------------------------------


@pytest.fixture
def latchpin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/x.db")

    def run(*words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(build(), words, input=stdin)

    return run


def added(latchpin, name: str) -> str:
    return json.loads(
        latchpin("gateways", "add", "http://127.0.0.1:1/mcp", "--name", name, "--no-discover", "--json").stdout
    )["id"]


@pytest.mark.needs("latchpin_sql_store")
def test_a_gateway_is_found_by_its_id_by_the_first_digits_of_it_and_by_its_name(latchpin, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    ours, other = added(latchpin, "Ours"), added(latchpin, "Other")
    shown = [line.split()[0] for line in latchpin("gateways", "list").stdout.splitlines() if line[:1] in ours + other]
    assert shown == [ours[: len(shown[0])], other[: len(shown[1])]]
    for which in (ours, shown[0], ours[:4] if ours[:4] != other[:4] else ours, "Ours"):
        assert json.loads(latchpin("gateways", "show", which, "--json").stdout)["id"] == ours
        assert latchpin("flows", "list", "--gateway", which).exit_code == 0
    for which in (ours[:3], "zzzz", "", "0" * 40):
        assert isinstance(latchpin("gateways", "show", which).exception, NotFound)
    removed = latchpin("gateways", "remove", shown[0], "--yes", "--json")
    assert (removed.exit_code, json.loads(removed.stdout)["success"]) == (0, True)
    assert [each["id"] for each in json.loads(latchpin("gateways", "list", "--json").stdout)] == [other]


@pytest.mark.needs("latchpin_sql_store")
def test_a_flow_is_shown_by_the_first_digits_of_its_id_unless_others_begin_so(latchpin):
    first, second, third = ("abcd" + "1" * 28, "abcd" + "2" * 28, "beef" + "3" * 28)

    async def keep() -> None:
        async with opened() as application:
            for number, flow_id in enumerate((first, second, third)):
                made = sample_flow(datetime.now(UTC) - timedelta(minutes=number))
                steps = [replace(step, flow_id=flow_id) for step in made]
                await (await open_inspector(application.services.context)).records.append(
                    steps, life=timedelta(hours=1)
                )

    asyncio.run(keep())
    for which, wanted in ((first, first), ("abcd1", first), ("beef", third), (third[:31], third)):
        assert json.loads(latchpin("flows", "show", which, "--json").stdout)["flow_id"] == wanted
    several = latchpin("flows", "show", "abcd").exception
    assert isinstance(several, NotFound)
    assert "2 flows have an id that begins with 'abcd'" in several.detail
    assert first in several.remedy
    assert second in several.remedy
    for which in ("abc", "dead", "xyzw", "b" * 32):
        assert "there is no flow with the id" in latchpin("flows", "show", which).exception.detail
    piped = latchpin("flows", "list").stdout.splitlines()
    assert [line.split()[0] for line in piped] == ["flow", first, second, third]


@pytest.mark.needs("latchpin_sql_store")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_gateway_that_nobody_can_authorize_yet_has_an_exit_code_of_its_own(latchpin, monkeypatch, as_json):
    monkeypatch.setenv("OAUTH_ALLOW_PRIVATE_NETWORKS", "true")
    monkeypatch.setenv("OAUTH_MAX_RETRIES", "0")
    ended = latchpin("gateways", "add", "http://127.0.0.1:1/mcp", "--name", "Stuck", *(["--json"] if as_json else []))
    [kept] = json.loads(latchpin("gateways", "list", "--json").stdout)
    assert ended.exit_code == 3
    for told in (f"{kept['id']} is kept", "nobody can authorize it yet", f"latchpin gateways remove {kept['id']}"):
        assert told in ended.stderr
    assert "Authorize it in a browser" not in ended.output
    if as_json:
        assert json.loads(ended.stdout)["discovery"]["why"]
    else:
        assert "cannot go on" in ended.stdout
    assert latchpin("gateways", "add", "http://127.0.0.1:1/mcp", "--auth", "none").exit_code == 0
    assert latchpin("gateways", "add", "ftp://x").exit_code == 1


@pytest.mark.needs("latchpin_sql_store")
def test_purging_states_speaks_json_too(latchpin):
    assert json.loads(latchpin("states", "purge", "--json").stdout) == {"removed": 0}
