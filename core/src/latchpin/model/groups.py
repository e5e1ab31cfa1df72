"""How a group is named: in a gateway's ``allowed_users``, in rules, and as an identity provider has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

__all__ = ["GROUP", "read_groups", "write_group"]

GROUP = "group:"
"""What stands before a group's name among addresses."""
LONGEST_GROUP = 200
"""Characters of a written name; what is longer is no group's."""
MOST_GROUPS = 1_000
"""How many of a claim are read: servers cut longer lists themselves, and say where the rest is."""


def write_group(name: str) -> str | None:
    """The name as it is written here: exactly as it is, but ``%XX`` for a blank, a comma, ``%`` and what nobody sees.

    None: it is empty or too long, and no group's.
    """
    written = "".join(char if char not in " ,%" and char.isprintable() else _encode(char) for char in name)
    return written if 0 < len(written) <= LONGEST_GROUP else None


def read_groups(value: object) -> frozenset[str]:
    """The groups in a claim: a list of names, or one name. What is neither names none."""
    names: Iterable[object] = value[:MOST_GROUPS] if isinstance(value, list) else [value]
    return frozenset(written for name in names if isinstance(name, str) and (written := write_group(name)) is not None)


def _encode(char: str) -> str:
    return quote(char.encode("utf-8", "surrogatepass"), safe="")
