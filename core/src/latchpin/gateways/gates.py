"""The gate between a server's tools and a caller, and the ceiling of their scopes: all that is installed together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latchpin.contracts import ScopeCeilings, ToolGate, ToolGates, Verdict
from latchpin.model import Caller, Gateway
from latchpin.tokens.scope_rules import ceiling_for

__all__ = ["Gates"]


class Gates:
    """What stands between callers and servers.

    Args:
        tools: all that hold tools back.
        scopes: all that limit scopes.
    """

    def __init__(self, tools: Mapping[str, ToolGates], scopes: Mapping[str, ScopeCeilings]) -> None:
        self._tools = tuple(tools.values())
        self._scopes = tuple(scopes.values())

    async def of(self, gateway: Gateway, caller: Caller) -> ToolGate | None:
        """The gate; None: nothing is held back.

        Raises:
            BackendUnavailable: it cannot be said.
        """
        found = [gate for each in self._tools if (gate := await each.of(gateway, caller)) is not None]
        return _Several(tuple(found)) if len(found) > 1 else found[0] if found else None

    async def ceiling(self, gateway: Gateway, caller: Caller) -> frozenset[str] | None:
        """The only scopes that rules about the caller let be asked for; None: any. See ``Application.scope_ceiling``.

        Raises:
            BackendUnavailable: it cannot be said.
        """
        return await ceiling_for(self._scopes, gateway, caller)

    async def keep(
        self, gateway: Gateway, caller: Caller, definitions: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Those of a server's tools that the caller may use.

        Raises:
            BackendUnavailable: it cannot be said.
        """
        gate = await self.of(gateway, caller)
        return [each for each in definitions if gate is None or _passes(gate, each)]


def _passes(gate: ToolGate, definition: Mapping[str, Any]) -> bool:
    name = definition.get("name")
    verdict = gate.judge(name, definition) if isinstance(name, str) else None
    return verdict is not None and verdict.allowed


@dataclass(frozen=True, slots=True)
class _Several:
    """Gates one behind the other: equal where they are the same ones."""

    gates: tuple[ToolGate, ...]

    def judge(self, name: str, definition: Mapping[str, Any] | None) -> Verdict | None:
        """What the first says that holds it back; None where none does and one cannot say."""
        verdicts = [gate.judge(name, definition) for gate in self.gates]
        refused = next((each for each in verdicts if each is not None and not each.allowed), None)
        return refused if refused is not None else None if None in verdicts else verdicts[-1]
