"""Removing a gateway: it is gone here at once, then its servers are asked to take back what they gave out for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from latchpin.clients.directory import ClientDirectory, Forgotten
from latchpin.gateways.registry import GatewayRegistry
from latchpin.model import Caller, Gateway, RegisteredClient, StoredToken
from latchpin.outbound.proofs import DpopProofs
from latchpin.services import Services
from latchpin.tokens.endpoint import Revocation
from latchpin.tokens.revocation import Revoker
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["GatewayRemoval", "Removed"]

WITHIN = timedelta(seconds=20)
"""How long the servers are waited for: once for the tokens, once for the clients."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A gateway that is not there any more, and what each server said about its tokens and its clients."""

    gateway: Gateway
    revocations: Sequence[Revocation]
    forgotten: Sequence[Forgotten]

    @property
    def revoked(self) -> int:
        """How many tokens were revoked at their authorization server."""
        return sum(each.done for each in self.revocations)

    @property
    def not_revoked(self) -> int:
        """How many were not: they are valid there until they expire."""
        return len(self.revocations) - self.revoked

    def sentences(self) -> list[str]:
        """What people are told; the same answer for many users once."""
        said = Counter(each.answer for each in self.revocations if not each.done)
        sentences = [f"{_tokens(self.revoked)} revoked at the authorization server."] if self.revoked else []
        sentences += [f"{_tokens(count)} not revoked: {answer}" for answer, count in said.items()]
        return sentences + [each.answer for each in self.forgotten]

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "success": True,
            "message": f"Removed the gateway {self.gateway.name}",
            "tokens": {
                "revoked": self.revoked,
                "not_revoked": self.not_revoked,
                "answers": sorted({each.answer for each in self.revocations}),
            },
            "authorization_servers": [each.answer for each in self.forgotten],
        }


class GatewayRemoval:
    """Removes gateways."""

    def __init__(
        self,
        services: Services,
        gateways: GatewayRegistry,
        clients: ClientDirectory,
        revoker: Revoker,
        proofs: DpopProofs,
    ) -> None:
        self._records = services.records
        self._activity = services.activity
        self._gateways = gateways
        self._clients = clients
        self._revoker = revoker
        self._proofs = proofs
        self._removing: SharedTasks[object, Removed] = SharedTasks()

    async def remove(self, gateway_id: str, caller: Caller) -> Removed:
        """Remove a gateway with its tokens, tools and clients, and ask the servers to revoke and forget those.

        A server that refuses, or is away, does not keep a gateway. Whoever stops waiting does not stop what was begun.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is none, or somebody else removed it at the same time.
            BackendUnavailable: the store cannot be asked; the gateway is there or gone with all that is its own.
        """
        gateway = await self._gateways.get_to_change(gateway_id, caller)
        return await self._removing.run(object(), partial(self._remove, gateway, caller))

    async def _remove(self, gateway: Gateway, caller: Caller) -> Removed:
        tokens = await self._records.tokens.list(gateway_id=gateway.id)
        clients = await self._records.clients.list(gateway_id=gateway.id)
        removed = await self._gateways.remove(gateway.id, caller)
        return await self._ask(removed, tokens, clients, caller)

    async def close(self) -> None:
        """Let what is under way end, before the stores are closed."""
        await self._removing.close()

    async def _ask(
        self, gateway: Gateway, tokens: Sequence[StoredToken], clients: Sequence[RegisteredClient], caller: Caller
    ) -> Removed:
        """Tokens first: a client that its server has forgotten could not revoke any."""
        revocations = await self._revoker.revoke_all(gateway, tokens, clients, within=WITHIN)
        removed = Removed(gateway, revocations, await self._clients.forget_all(clients, within=WITHIN))
        if tokens:
            facts = {"revoked": str(removed.revoked), "not_revoked": str(removed.not_revoked)}
            await self._activity.tell("tokens.revoked", actor=caller.email, gateway_id=gateway.id, **facts)
        await self._proofs.forget(gateway.id)
        return removed


def _tokens(count: int) -> str:
    return f"{count} token was" if count == 1 else f"{count} tokens were"
