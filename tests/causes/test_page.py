"""The table of causes is whole, and the page in the docs is what a run in which all is right writes."""

from __future__ import annotations

import pytest
from latchpin.errors.causes import CAUSES

from tests.causes.conftest import Row
from tests.causes.page import ELSEWHERE, PAGE, ROWS, cells, render
from tests.servers import BACKENDS

NEEDS = ("latchpin_dcr",)


def test_the_page_is_written_from_the_table():
    assert PAGE.read_text(encoding="utf-8") == render(ROWS, set(cells(ROWS))), "run: python -m tests.causes.page"


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
