"""What the core and plugins keep: documents, and the fields by which they are found.

What lay in four tables of its own before (kept values, tools, the history of flows, the audit log) is moved there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from latchpin_sql_store.columns import Ascii, Exact, LongText, UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ON_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
AT_ONCE = 500
LONGEST_USER = 600
"""Bytes of an address in an index; a longer one stands there by its hash."""

Row = dict[str, Any]
"""A document, and its index fields under ``fields``."""


def upgrade() -> None:
    """Add the tables, move what is kept, drop the old ones."""
    documents = op.create_table(
        "documents",
        sa.Column("collection", Ascii(40), nullable=False),
        sa.Column("id", Exact(255), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("body", LongText, nullable=False),
        sa.Column("expires_at", UtcTime),
        sa.PrimaryKeyConstraint("collection", "id", name="pk_documents"),
        **ON_MYSQL,
    )
    op.create_index("ix_documents_expires_at", "documents", ["expires_at"])
    fields = op.create_table(
        "document_fields",
        sa.Column("collection", Ascii(40), nullable=False),
        sa.Column("field", Ascii(40), nullable=False),
        sa.Column("value", Exact(700), nullable=False),
        sa.Column("id", Exact(255), nullable=False),
        sa.PrimaryKeyConstraint("collection", "field", "value", "id", name="pk_document_fields"),
        sa.ForeignKeyConstraint(
            ["collection", "id"],
            ["documents.collection", "documents.id"],
            name="fk_document_fields",
            ondelete="CASCADE",
        ),
        **ON_MYSQL,
    )
    op.create_index("ix_document_fields_document", "document_fields", ["collection", "id"])
    connection = op.get_bind()
    for rows in (_kept(connection), _tools(connection), _flows(connection), _audit(connection)):
        _move(connection, documents, fields, rows)
    for name in ("kept_values", "tools", "oauth_flows", "audit_log"):
        op.drop_table(name)


def downgrade() -> None:
    """Not possible: the old tables are gone. Restore the backup that was made before the upgrade."""
    raise NotImplementedError(downgrade.__doc__)


def _move(connection: sa.Connection, documents: sa.Table, fields: sa.Table, rows: Iterator[Row]) -> None:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == AT_ONCE:
            _insert(connection, documents, fields, batch)
            batch = []
    _insert(connection, documents, fields, batch)


def _insert(connection: sa.Connection, documents: sa.Table, fields: sa.Table, batch: list[Row]) -> None:
    if not batch:
        return
    connection.execute(
        sa.insert(documents),
        [{**row, "revision": 1, "fields": _json(row["fields"]), "body": _json(row["body"])} for row in batch],
    )
    found = [
        {"collection": row["collection"], "id": row["id"], "field": name, "value": value}
        for row in batch
        for name, value in row["fields"].items()
    ]
    if found:
        connection.execute(sa.insert(fields), found)


def _kept(connection: sa.Connection) -> Iterator[Row]:
    table = sa.table("kept_values", sa.column("name"), sa.column("value"), sa.column("expires_at", UtcTime))
    for row in connection.execute(sa.select(table)).mappings().all():
        if row["name"] == "states:origin":
            yield _document("sql_store_origin", "origin", json.loads(row["value"]))
        else:
            yield {**_document("core_kept", row["name"], {"value": row["value"]}), "expires_at": row["expires_at"]}


def _tools(connection: sa.Connection) -> Iterator[Row]:
    names = ("gateway_id", "app_user_email", "name", "definition")
    times = ("created_at", "updated_at")
    table = sa.table("tools", *map(sa.column, names), *(sa.column(name, UtcTime) for name in times))
    owners: dict[tuple[str, str], dict[str, Any]] = {}
    for row in connection.execute(sa.select(table)).mappings():
        tools = owners.setdefault((row["gateway_id"], row["app_user_email"]), {})
        moments = {name: row[name].isoformat() for name in times}
        tools[row["name"]] = {"definition": json.loads(row["definition"]), **moments}
    for (gateway_id, email), tools in owners.items():
        id_ = f"{gateway_id}:{hashlib.sha256(email.encode()).hexdigest()}"
        yield _document("core_tools", id_, {"tools": tools}, gateway=gateway_id)


def _flows(connection: sa.Connection) -> Iterator[Row]:
    names = ("flow_id", "gateway_id", "app_user_email", "outcome", "cause", "steps")
    table = sa.table("oauth_flows", *map(sa.column, names), sa.column("last_at", UtcTime))
    for row in connection.execute(sa.select(table)).mappings().all():
        last_at = _index_time(row["last_at"])
        fields = {
            "last_at": last_at,
            "user": f"{_user(row['app_user_email'])}\n{last_at}",
            "gateway": f"{row['gateway_id']}\n{last_at}",
        }
        if row["cause"] is not None:
            fields["cause"] = f"{row['cause']}\n{last_at}"
        if row["outcome"] == "pending":
            fields["pending"] = last_at
        body = {name: row[name] for name in ("gateway_id", "app_user_email")} | {"steps": row["steps"].split("\n")}
        yield _document("core_flows", row["flow_id"], body, **fields)  # without an end: FLOW_HISTORY_HOURS removes it


def _audit(connection: sa.Connection) -> Iterator[Row]:
    texts = ("event", "actor", "subject", "gateway_id", "previous", "key_id", "signature", "facts")
    table = sa.table("audit_log", sa.column("number"), *map(sa.column, texts), sa.column("at", UtcTime))
    for row in connection.execute(sa.select(table).order_by(table.c.number)).mappings().all():
        body = {**row, "at": row["at"].isoformat(), "facts": json.loads(row["facts"])}
        yield _document("core_audit", f"{row['number']:020}", body)


def _document(collection: str, id_: str, body: dict[str, Any], **fields: str) -> Row:
    return {"collection": collection, "id": id_, "body": body, "expires_at": None, "fields": fields}


def _user(email: str) -> str:
    text = email.encode()
    return email if len(text) <= LONGEST_USER else hashlib.sha256(text).hexdigest()


def _index_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
