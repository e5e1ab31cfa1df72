"""What of a kept list a caller may know of now. Lists are kept whole for minutes; a rule counts within a second."""

from __future__ import annotations

from dataclasses import replace

from latchpin.contracts import ToolGate
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.workers import Bounded
from latchpin_mcp.parts import read_elements, read_value

from latchpin_aggregator.kept import Entries, Kept

__all__ = ["Gated", "without_held_back"]

_MOST = 20_000


class Gated:
    """Takes the tools that a gate holds back out of lists."""

    def __init__(self, application: Application) -> None:
        self._gates = application.gates
        self._known: Bounded[tuple[str, str], tuple[Entries, ToolGate, Entries]] = Bounded(_MOST)

    async def of(self, gateway: Gateway, caller: Caller, kept: Kept) -> Kept:
        """The list without them.

        Raises:
            BackendUnavailable: it cannot be said what is held back.
        """
        gate = await self._gates.of(gateway, caller)
        tools = kept.entries.get("tools")
        if gate is None or tools is None:
            return kept
        key = (gateway.id, caller.email)
        known = self._known.get(key)
        if known is None or known[0] is not tools or known[1] != gate:
            known = self._known[key] = (tools, gate, without_held_back(tools, gate))
        return replace(kept, entries={**kept.entries, "tools": known[2]})


def without_held_back(tools: Entries, gate: ToolGate) -> Entries:
    """The tools that pass, each judged as its server lists it. Pure."""
    text = f"[{tools.text}]"
    texts, own = [], {}
    for part in read_elements(text, read_value(text)):
        exposed = part.value["name"]
        verdict = gate.judge(tools.own[exposed], {**part.value, "name": tools.own[exposed]})
        if verdict is not None and verdict.allowed:
            texts.append(text[part.start : part.end])
            own[exposed] = tools.own[exposed]
    repeated = {exposed: where for exposed, where in tools.repeated.items() if exposed in own}
    return Entries.held_once(",".join(texts), own, repeated)
