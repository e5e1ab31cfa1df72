"""Alembic's entry: used by ``latchpin db upgrade``, by a starting gateway, and by the ``alembic`` command itself."""

from __future__ import annotations

from typing import Any

from alembic import context
from latchpin.sdk.settings import load

from latchpin_sql_store.engine import parse_url
from latchpin_sql_store.migrate import locked_connection
from latchpin_sql_store.schema import VERSION_TABLE
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import metadata

options: dict[str, Any] = {
    "target_metadata": metadata,
    "version_table": VERSION_TABLE,
    "render_as_batch": True,  # SQLite alters little in place
    "transactional_ddl": None,
}
url = context.config.attributes.get("url") or parse_url(load(SqlSettings).database_url.get_secret_value())

if context.is_offline_mode():
    context.configure(url=url, literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    with locked_connection(url) as connection:
        if connection.dialect.name == "sqlite":
            options["transactional_ddl"] = True  # its driver would not; ours begins transactions itself
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
