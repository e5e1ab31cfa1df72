"""Whether Redis may throw away what it was given, and has done so: an authorization, a lease, a gateway."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from latchpin.errors import BackendUnavailable
from redis.exceptions import NoPermissionError

__all__ = ["KEEP_REMEDY", "Asks", "ask_if_allowed", "check_keeps", "fields_of", "policy_of", "warn_of_eviction"]

KEEPS_ALL = "noeviction"
KEEP_REMEDY = "Set maxmemory-policy noeviction, also in redis.conf, and give it memory enough."

_log = logging.getLogger("latchpin.redis")


class Asks(Protocol):
    """Sends Redis a command; see ``latchpin_redis_store.connection.Commands``."""

    async def ask(self, *words: str) -> Any:  # noqa: ANN401  what Redis answers
        """Its reply."""

    def servers(self) -> Sequence[Asks]:
        """Each server that holds keys."""


async def ask_if_allowed(commands: Asks, *words: str) -> Any:  # noqa: ANN401  the same
    """The reply, None where Redis does not allow this user the command."""
    try:
        return await commands.ask(*words)
    except BackendUnavailable as exc:
        if isinstance(exc.__cause__, NoPermissionError):
            return None
        raise


def fields_of(info: bytes | None) -> dict[str, str]:
    """What ``INFO`` tells, by name."""
    lines = (info or b"").decode(errors="replace").splitlines()
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}


def policy_of(told: Mapping[str, Any]) -> str | None:
    """The policy by which Redis evicts when its memory is full; None if it evicts nothing."""
    policy = str(told.get("maxmemory_policy", KEEPS_ALL))
    return None if policy == KEEPS_ALL or not int(told.get("maxmemory", 0)) else policy


async def check_keeps(commands: Asks) -> None:
    """Prove that Redis keeps what it is given, where this user may ask that.

    ``volatile-*`` too evicts what ends by itself: authorizations under way, leases, ended sessions.

    Raises:
        BackendUnavailable: it evicts when its memory is full.
    """
    for server in commands.servers():
        policy = policy_of(fields_of(await ask_if_allowed(server, "INFO", "memory")))
        if policy is not None:
            text = f"Redis throws away what it keeps when its memory is full (maxmemory-policy {policy}). {KEEP_REMEDY}"
            raise BackendUnavailable(text, remedy=KEEP_REMEDY)


async def warn_of_eviction(commands: Asks) -> None:
    """Say at the start why ``/ready`` will not be."""
    try:
        await check_keeps(commands)
    except BackendUnavailable as exc:
        _log.warning("%s", exc.detail)
