"""The page docs/causes.md is whole, and is what ``python -m tests.causes.test_page`` writes where all is right."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from latchpin.errors.causes import CAUSES, CHAPTERS

from tests.causes.conftest import Row
from tests.causes.situations_at_the_gateway import CALLER_ROWS, STATE_ROWS, TOKEN_ROWS
from tests.causes.situations_at_the_server import PROOF_ROWS, REFUSAL_ROWS, SERVER_ROWS
from tests.docs.checks import ROOT
from tests.servers import BACKENDS

NEEDS = ("latchpin_dcr",)

# The whole table.


ROWS: tuple[Row, ...] = (*STATE_ROWS, *PROOF_ROWS, *REFUSAL_ROWS, *TOKEN_ROWS, *SERVER_ROWS, *CALLER_ROWS)


# The page docs/causes.md: each cause, how it was brought about, and on which stores it was named.


PAGE = ROOT / "docs" / "causes.md"

ELSEWHERE = {
    "identity-assertion-required": "is about identity assertions: `tests/faults/test_enterprise.py`",
    "key-refused": "needs a server that wants keys: `tests/api_keys/test_keys.py`",
    "shared-connection-missing": "needs a shared connection: `tests/accounts/test_shared.py`",
    "shared-connection-unconfirmed": "needs a shared connection: `tests/accounts/test_shared.py`",
    "scopes-beyond-ceiling": "needs a setting: `tests/faults/test_scope_ceiling.py`",
    "plugin": "needs a broken installation: `tests/core/test_plugins.py`",
    "sign-in-failed": "belongs to the sign-in plugin: `tests/oidc_login`",
    "state-conflict": "needs a broken random source: the suite that every state store passes",
    "record-conflict": "needs two writers at one moment: the suite that every record store passes",
    "internal": "is what nobody foresaw: `tests/web/test_errors.py`",
}
"""Causes that no row brings about, and where they are tested instead."""

_HEAD = """# Causes, brought about

Every cause of [the catalogue](errors.md) is brought about for real, on every store: with two processes, a restart, a
flushed or evicting Redis, a moved clock, a server that misbehaves. The answer and the log must then name exactly that
cause, and not the neighbour in the third column, which is brought about on the same store too. This page is written by
`python -m tests.causes.test_page`, from what was named in that run. `make test` repeats it; what another server or the
caller causes, it brings about on one store.
"""

Cell = tuple[str, str]
"""A store, and a row's name."""


def cells(rows: Sequence[Row]) -> list[Cell]:
    """Those that can be."""
    return [(store, row.name) for store in BACKENDS for row in rows if store not in row.impossible]


def render(rows: Sequence[Row], named: Collection[Cell]) -> str:
    """The page, for the cells in which exactly the right cause was named."""
    possible, reasons = cells(rows), _reasons(rows)
    lines = [_HEAD, "| store | brought about | named correctly | cannot be |", "|---|---|---|---|"]
    for store in BACKENDS:
        mine = [cell for cell in possible if cell[0] == store]
        right = sum(cell in named for cell in mine)
        lines.append(f"| {store} | {len(mine)} | {right} | {len(rows) - len(mine)} |")
    right = sum(cell in named for cell in possible)
    lines += ["", f"**{right} of {len(possible)}** named correctly, {len(CAUSES) - len(ELSEWHERE)} causes."]
    for chapter, causes in CHAPTERS.items():
        slugs = [cause.slug for cause in causes]
        shown = [row for row in rows if row.slug in slugs]
        if shown:
            lines += ["", f"## {chapter}", "", f"| cause | situation | not | {' | '.join(BACKENDS)} |"]
            lines.append("|---" * (3 + len(BACKENDS)) + "|")
            lines += [_line(row, named, reasons) for row in sorted(shown, key=lambda row: slugs.index(row.slug))]
    lines += ["", "## Where a cause cannot be", ""]
    lines += [f"{number}. {reason}" for reason, number in reasons.items()]
    lines += ["", "## Tested elsewhere", ""]
    lines += [f"- [`{slug}`](errors.md#{slug}) {where}" for slug, where in ELSEWHERE.items()]
    return "\n".join(lines) + "\n"


def _line(row: Row, named: Collection[Cell], reasons: dict[str, int]) -> str:
    told = []
    for store in BACKENDS:
        if store in row.impossible:
            told.append(f"no ({reasons[row.impossible[store]]})")
        else:
            told.append("named" if (store, row.name) in named else "**wrong**")
    return f"| [`{row.slug}`](errors.md#{row.slug}) | {row.situation} | `{row.neighbour}` | {' | '.join(told)} |"


def _reasons(rows: Sequence[Row]) -> dict[str, int]:
    """Each reason once, numbered from 1 in the order of the rows."""
    found = dict.fromkeys(reason for row in rows for reason in row.impossible.values())
    return {reason: number for number, reason in enumerate(found, 1)}


# Bring every cause about on every store, and write docs/causes.md from what was named.


def main() -> int:
    """Write the page; the exit status is the tests'."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "--every-store", f"--junit-xml={report}", *sys.argv[1:]]
        command = [sys.executable, "-m", "pytest", "tests/causes/test_causes.py", *options]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        passed = {
            str(case.get("name"))
            for case in ET.parse(report).iter("testcase")
            if not {child.tag for child in case} & {"failure", "error", "skipped"}
        }
    named = {(store, name) for store, name in cells(ROWS) if any(f"[{store}-{name}]" in each for each in passed)}
    PAGE.write_text(render(ROWS, named), encoding="utf-8")
    sys.stdout.write(f"{len(named)} of {len(cells(ROWS))} named correctly; see {PAGE.relative_to(ROOT)}\n")
    return status


def test_the_page_is_written_from_the_table():
    assert PAGE.read_text(encoding="utf-8") == render(ROWS, set(cells(ROWS))), "run: python -m tests.causes.test_page"


def test_every_cause_is_brought_about_or_tested_elsewhere():
    brought = {row.slug for row in ROWS}
    assert brought | ELSEWHERE.keys() == CAUSES.keys()
    assert not brought & ELSEWHERE.keys()


def test_no_two_rows_are_called_alike():
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_rows_neighbour_is_brought_about_beside_it(row: Row):
    """Its own row then shows that the neighbour's situation is called otherwise."""
    assert row.neighbour != row.slug
    where = {store for store in BACKENDS if store not in row.impossible}
    near = {store for each in ROWS if each.slug == row.neighbour for store in BACKENDS if store not in each.impossible}
    assert where
    assert where <= near


def test_a_wrong_name_is_seen_on_the_page():
    right = set(cells(ROWS))
    page = render(ROWS, right - {("redis", ROWS[0].name)})
    assert "**wrong**" in page
    assert f"**{len(right) - 1} of {len(right)}**" in page


if __name__ == "__main__":
    raise SystemExit(main())
