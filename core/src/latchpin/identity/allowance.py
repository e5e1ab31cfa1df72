"""Who may use which gateway."""

from __future__ import annotations

from latchpin.model import Caller, Gateway

__all__ = ["may_use"]


def may_use(gateway: Gateway, caller: Caller) -> bool:
    """Whether the caller may know of the gateway: administrators always, others as ``allowed_users`` says."""
    if caller.is_admin or not gateway.allowed_users:
        return True
    email = caller.email.lower()
    domain = email.rpartition("@")[2]
    return email in gateway.allowed_users or f"*@{domain}" in gateway.allowed_users
