"""To which addresses mail may be sent."""

from __future__ import annotations

import re

__all__ = ["is_deliverable"]

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def is_deliverable(address: str) -> bool:
    """Whether mail may be sent there: one address of ASCII whose characters mean nothing to SMTP or to a header."""
    return _ADDRESS.fullmatch(address) is not None
