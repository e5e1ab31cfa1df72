"""Tables: for people as wide as their terminal, for programs one line for each row. Nothing is ever cut off."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["UNLIMITED", "print_table", "width_of_output"]

UNLIMITED = 1_000_000
GAP = 2
SHORTEST = 8
"""Digits of an id that are shown where the whole does not fit; commands accept them."""

Rows = Sequence[Sequence[str]]


def width_of_output() -> int | None:
    """The columns that there are: COLUMNS, else the terminal's; None where it is no terminal and nothing says so."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_table(columns: Sequence[str], rows: Rows, *, ids: Collection[str] = ()) -> None:
    """Print a table without a frame.

    Args:
        columns: their names; empty: there is no line of names.
        rows: their cells.
        ids: which columns hold ids. They are never broken; where the table is too wide they are shortened to their
            first digits, which every command takes for the whole.
    """
    width = width_of_output()
    if width is None:
        _print_plain([columns, *rows] if columns else rows)
        return
    if _width_of([columns, *rows]) > width:
        rows = _shortened(columns, rows, ids)
    table = Table(box=None, show_header=bool(columns), pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for number in range(len(rows[0]) if rows else len(columns)):
        name = columns[number] if columns else ""
        unbroken = name in ids if columns else not number
        table.add_column(Text(name), no_wrap=unbroken, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _print_plain(lines: Rows) -> None:
    """One line for each row, whatever is in it; the cells lie below each other."""
    cells = [[" ".join(cell.split()) for cell in line] for line in lines]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell + " " * (width + GAP - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("".join(padded).rstrip() + "\n")


def _width_of(lines: Rows) -> int:
    widths = [max(map(cell_len, column)) + GAP for column in zip(*(line for line in lines if line), strict=True)]
    return sum(widths) - GAP


def _shortened(columns: Sequence[str], rows: Rows, ids: Collection[str]) -> Rows:
    """With ids as short as they can be while those of one column differ."""
    lengths = {number: _enough({row[number] for row in rows}) for number, name in enumerate(columns) if name in ids}
    return [[cell[: lengths.get(number, len(cell))] for number, cell in enumerate(row)] for row in rows]


def _enough(ids: Collection[str]) -> int:
    longest = max(map(len, ids), default=SHORTEST)
    return next((many for many in range(SHORTEST, longest) if len({each[:many] for each in ids}) == len(ids)), longest)
