"""Latchpin's store on SQLite, PostgreSQL and MariaDB or MySQL. ``plugin`` is what the gateway loads."""
