"""Records as rows: a column has the name, or the key, of the field that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Table

__all__ = ["from_row", "one_or_many", "to_row"]

RecordT = TypeVar("RecordT")


def to_row(table: Table, record: object) -> dict[str, Any]:
    """What is written of ``record``, by the keys of the columns."""
    return {key: getattr(record, key) for key in table.columns.keys()}  # noqa: SIM118  no dictionary


def from_row(kind: type[RecordT], table: Table, row: RowMapping) -> RecordT:
    """Read what ``to_row`` wrote."""
    return kind(**{column.key: row[column] for column in table.columns})


def one_or_many(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | Sequence[dict[str, Any]]:
    """Rows as a statement is given them: one by itself, because drivers make several trips of what may be many."""
    return rows[0] if len(rows) == 1 else rows
