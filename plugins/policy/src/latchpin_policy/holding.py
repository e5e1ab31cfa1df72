"""What the gateway asks for each request: a person's groups, the gate before a server's tools, the scopes' ceiling."""

from __future__ import annotations

from latchpin.contracts import ToolGate
from latchpin.model import Caller, Gateway

from latchpin_policy.book import Book

__all__ = ["Ceilings", "OwnGroups", "RuleGates"]


class OwnGroups:
    """The groups that administrators keep here; see ``latchpin.contracts.Groups``."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def of(self, caller: Caller) -> frozenset[str]:
        """Those that name the caller."""
        return (await self._book.current()).groups_of(caller.email)


class RuleGates:
    """The rules about tools; see ``latchpin.contracts.ToolGates``."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def of(self, gateway: Gateway, caller: Caller) -> ToolGate | None:
        """The gate, if any rule is about this caller there."""
        return (await self._book.current()).gate(gateway.id, caller)


class Ceilings:
    """The rules about scopes; see ``latchpin.contracts.ScopeCeilings``."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def of(self, gateway: Gateway, caller: Caller) -> frozenset[str] | None:
        """What every such rule about this caller there names."""
        return (await self._book.current()).ceiling(gateway.id, caller)
