"""The migrations, in order. ``latchpin_sql_store.schema.HEAD`` names the newest."""
