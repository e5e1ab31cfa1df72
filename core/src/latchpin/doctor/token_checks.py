"""How the tokens of a gateway's users are, as counts: no user is named."""

from __future__ import annotations

from collections import Counter

from latchpin.application import Application
from latchpin.contracts import Finding, Severity
from latchpin.doctor.sealed_checks import opens
from latchpin.errors import AuthorizationRequired
from latchpin.model import Gateway
from latchpin.oauth.status import is_authorized, status_of
from latchpin.tokens.sealing import open_token

__all__ = ["check_tokens"]

_ORDER = ("valid", "near expiry", "expired", "needs reauth", "unsealable")


async def check_tokens(application: Application, gateway: Gateway) -> list[Finding]:
    """How many connections are valid, and how many need their user."""
    services = application.services
    tokens = await services.records.tokens.list(gateway_id=gateway.id)
    if not tokens:
        return [Finding(Severity.OK, "nobody has connected yet")]
    now = services.clock()
    closed = {token.id for token in tokens if not opens(token, lambda one: open_token(services.cipher, one))}
    counts = Counter("unsealable" if token.id in closed else status_of(token, now) for token in tokens)
    lost = sum(token.id in closed or not is_authorized(token, now) for token in tokens)
    detail = f"Connections: {_listed(counts)}."
    if not lost:
        return [Finding(Severity.OK, f"{_count(len(tokens))} can be used or renewed", detail)]
    return [
        Finding(
            Severity.WARNING,
            f"{lost} of {_count(len(tokens))} need{'s' if lost == 1 else ''} a new authorization",
            f"{detail} Expired ones without a refresh token count among them.",
            "Their users authorize again.",
            services.settings.authorize_url(gateway.id),
            AuthorizationRequired.code,
        )
    ]


def _listed(counts: Counter[str]) -> str:
    named = {status.replace("_", " "): count for status, count in counts.items()}
    return ", ".join(f"{named[status]} {status}" for status in _ORDER if status in named)


def _count(number: int) -> str:
    return f"{number} connection{'' if number == 1 else 's'}"
