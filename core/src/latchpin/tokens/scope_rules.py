"""What rules leave of the scopes before an authorization server is asked for any, by whatever grant."""

from __future__ import annotations

from collections.abc import Iterable

from latchpin.contracts import ScopeCeilings
from latchpin.errors import ScopesBeyondCeiling
from latchpin.identity.groups import with_groups
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller, Gateway
from latchpin.services import Services

__all__ = ["ceiling_for", "scopes_within_rules", "whose_rules"]

_SERVING_ALL = frozenset({COMPANY, CLIENT_ITSELF})


def whose_rules(owner: str, caller: Caller) -> Caller:
    """About whom the rules are that hold for a token: its owner.

    What serves all is nobody's in particular, so the rules about everyone hold: whoever connects it or asks first would
    otherwise decide for the others.
    """
    return Caller(owner) if owner in _SERVING_ALL else caller


async def ceiling_for(sources: Iterable[ScopeCeilings], gateway: Gateway, caller: Caller) -> frozenset[str] | None:
    """The scopes that all of ``sources`` let be asked for; None: any.

    Raises:
        BackendUnavailable: it cannot be said.
    """
    ceiling: frozenset[str] | None = None
    for each in sources:
        found = await each.of(gateway, caller)
        if found is not None:
            ceiling = found if ceiling is None else ceiling & found
    return ceiling


async def scopes_within_rules(
    services: Services, gateway: Gateway, scopes: tuple[str, ...], *, owner: str, caller: Caller | None
) -> tuple[str, ...]:
    """The scopes that may be asked for, in their order.

    Args:
        services: has the rules, and knows the groups of an owner who does not ask.
        gateway: where.
        scopes: what would be asked for.
        owner: whose the token is to be: a person's address, ``CLIENT_ITSELF`` or ``COMPANY``.
        caller: who asks, where somebody does.

    Raises:
        ScopesBeyondCeiling: none is left, and a request without a scope gets what the server likes (RFC 6749 section
            3.3).
        BackendUnavailable: it cannot be said.
    """
    sources = services.scope_ceilings.values()
    if not sources:
        return scopes
    if caller is None and owner not in _SERVING_ALL:
        caller = await with_groups(services.groups, Caller(owner))
    ceiling = await ceiling_for(sources, gateway, Caller(owner) if caller is None else whose_rules(owner, caller))
    if ceiling is None:
        return scopes
    within = tuple(scope for scope in scopes if scope in ceiling)
    if not within:
        named = f"it names {' '.join(scopes)[:200]}" if scopes else "it names none"
        raise ScopesBeyondCeiling(f"no scope of this gateway is within what a rule allows here: {named}")
    return within
