"""What the audit log keeps under keys."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import KeyUse
from latchpin.sdk.keys import kept_use

from latchpin_audit.pseudonyms import ALIAS, PERSON, place_of
from latchpin_audit.reading import signed_rows

__all__ = ["list_key_uses"]


def list_key_uses() -> Sequence[KeyUse]:
    """The keys and names of people, which are sealed, and the entries, which are signed."""
    return [
        kept_use("people's keys in the audit log", PERSON, place_of),
        kept_use("people's names in the audit log", ALIAS, place_of),
        KeyUse("entries of the audit log", signed_rows, purpose="state signature"),
    ]
