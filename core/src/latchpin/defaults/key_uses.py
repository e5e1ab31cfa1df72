"""What the core keeps under keys, offered through the same hook as anybody's."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.plugins.hookspecs import hookimpl

__all__ = ["latchpin_key_uses"]


@hookimpl
def latchpin_key_uses() -> Sequence[str]:
    """Name what the core keeps."""
    return ["latchpin.defaults.keyed_rows:list_key_uses"]
