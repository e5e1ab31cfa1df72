"""``latchpin secret``: make what must be random."""

from __future__ import annotations

import secrets
import sys

import typer

app = typer.Typer(name="secret", help="Make secrets.", no_args_is_help=True)

SECRET_BYTES = 48


@app.callback()
def group() -> None:
    """Make secrets."""


@app.command()
def generate() -> None:
    """Print a new value for AUTH_ENCRYPTION_SECRET (64 characters, 384 random bits)."""
    sys.stdout.write(secrets.token_urlsafe(SECRET_BYTES) + "\n")
