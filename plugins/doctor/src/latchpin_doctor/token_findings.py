"""How the tokens of a gateway's users are, as counts: no user is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from latchpin.contracts import Finding, Severity
from latchpin.errors import AuthorizationRequired
from latchpin.sdk.gateway import TokenHealth

__all__ = ["count_tokens"]

_ORDER = ("valid", "near expiry", "expired", "needs reauth", "unsealable")


def count_tokens(healths: Sequence[TokenHealth], *, authorize_url: str) -> Finding:
    """How many connections are valid, and how many need their user."""
    if not healths:
        return Finding(Severity.OK, "nobody has connected yet")
    counts = Counter(each.status if each.opens else "unsealable" for each in healths)
    lost = sum(not each.authorized for each in healths)
    detail = f"Connections: {_listed(counts)}."
    if not lost:
        return Finding(Severity.OK, f"{_count(len(healths))} can be used or renewed", detail)
    return Finding(
        Severity.WARNING,
        f"{lost} of {_count(len(healths))} need{'s' if lost == 1 else ''} a new authorization",
        f"{detail} Expired ones without a refresh token count among them.",
        "Their users authorize again.",
        authorize_url,
        AuthorizationRequired.code,
    )


def _listed(counts: Counter[str]) -> str:
    named = {status.replace("_", " "): count for status, count in counts.items()}
    return ", ".join(f"{named[status]} {status}" for status in _ORDER if status in named)


def _count(number: int) -> str:
    return f"{number} connection{'' if number == 1 else 's'}"
