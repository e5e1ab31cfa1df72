"""Records as rows: a column has the name, or the key, of the field that it holds."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import RowMapping, Table

__all__ = ["from_row", "to_row"]

RecordT = TypeVar("RecordT")


def to_row(table: Table, record: object) -> dict[str, Any]:
    """What is written of ``record``, by the keys of the columns."""
    return {key: getattr(record, key) for key in table.columns.keys()}  # noqa: SIM118  no dictionary


def from_row(kind: type[RecordT], table: Table, row: RowMapping) -> RecordT:
    """Read what ``to_row`` wrote."""
    return kind(**{column.key: row[column] for column in table.columns})
