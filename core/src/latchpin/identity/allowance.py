"""Who may use what: a gateway, or whatever else has such a list of people."""

from __future__ import annotations

from collections.abc import Collection

from latchpin.model import GROUP, Caller, Gateway

__all__ = ["is_allowed", "may_use"]


def may_use(gateway: Gateway, caller: Caller) -> bool:
    """Whether the caller may know of the gateway: administrators always, others as ``allowed_users`` says."""
    return is_allowed(caller, gateway.allowed_users)


def is_allowed(caller: Caller, allowed_users: Collection[str]) -> bool:
    """Whether a list of people lets the caller in: administrators always, and everybody where it is empty.

    Args:
        caller: who asks.
        allowed_users: as ``AllowedUsers`` reads them.
    """
    if caller.is_admin or not allowed_users:
        return True
    email = caller.email.lower()
    domain = email.rpartition("@")[2]
    if (email in allowed_users and not email.startswith(GROUP)) or f"*@{domain}" in allowed_users:
        return True
    return bool(caller.groups) and any(GROUP + name in allowed_users for name in caller.groups)
