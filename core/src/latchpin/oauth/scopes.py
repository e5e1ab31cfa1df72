"""What can be a scope (RFC 6749 section 3.3), wherever one is named."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["LONGEST_SCOPE", "MOST_SCOPES", "is_scope", "keep_scopes"]

LONGEST_SCOPE = 200
"""In characters. Longer ones are not found in use, and all that is asked for must fit into one URL."""
MOST_SCOPES = 50
"""How many that a server names are asked for."""

_SCOPE = re.compile(rf"[\x21\x23-\x5B\x5D-\x7E]{{1,{LONGEST_SCOPE}}}")


def is_scope(text: str) -> bool:
    """Whether ``text`` is one scope: visible ASCII without blank, quote or backslash, not too long."""
    return _SCOPE.fullmatch(text) is not None


def keep_scopes(words: Iterable[str], *, most: int = MOST_SCOPES) -> tuple[str, ...]:
    """What can be a scope of what another server names, each once, in order; the first ``most`` of them."""
    return tuple(dict.fromkeys(word for word in words if is_scope(word)))[:most]
