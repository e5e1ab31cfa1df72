"""The built-in PKCE method. ``plain`` is not offered: it protects nothing (RFC 9700 section 2.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import PkceMethod
from latchpin.oauth.pkce import S256
from latchpin.plugins.hookspecs import hookimpl


@hookimpl
def latchpin_pkce_methods() -> Sequence[PkceMethod]:
    """Offer S256."""
    return [S256()]
