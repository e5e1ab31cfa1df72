"""Latchpin's in-memory store: for one process, and gone with it."""
