"""The page of causes, and all situations that it is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from latchpin.errors.causes import CAUSES, CHAPTERS

from tests.causes.caller_and_token_situations import CALLER_ROWS, TOKEN_ROWS
from tests.causes.proof_and_server_situations import PROOF_ROWS, SERVER_ROWS
from tests.causes.situation import Row
from tests.causes.state_situations import STATE_ROWS
from tests.docs.markdown import ROOT
from tests.servers import BACKENDS

__all__ = ["ELSEWHERE", "PAGE", "ROWS", "cells", "render"]

# The whole table.


ROWS: tuple[Row, ...] = (*STATE_ROWS, *PROOF_ROWS, *TOKEN_ROWS, *SERVER_ROWS, *CALLER_ROWS)


# The page docs/causes.md: each cause, how it was brought about, and on which stores it was named.


PAGE = ROOT / "docs" / "causes.md"

ELSEWHERE = {
    "identity-assertion-required": "is about identity assertions: `tests/faults/test_enterprise.py`",
    "assertion-refused": "the same",
    "assertion-unusable": "the same",
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
`python -m tests.causes`, from what was named in that run.
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
