"""Latchpin plugin."""
