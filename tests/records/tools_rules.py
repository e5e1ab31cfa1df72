"""The rules of a record store's tools."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.model import Gateway, StoredTool, ToolChanges
from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.rules import gives, holds, outcomes, same

from tests.records.opened import OpenedPieces, Pieces

__all__ = ["ToolRules"]

ADA, BOB = "ada@example.com", "bob@example.com"


async def _gateway(store: Pieces, clock: MovedClock) -> Gateway:
    gateway = samples.gateway(clock())
    await store.gateways.put(gateway)
    return gateway


@pytest.mark.asyncio
class ToolRules(OpenedPieces):
    """Each user sees the tools that the server showed to that user."""

    async def test_tool_round_trip(self, store: Pieces, clock: MovedClock) -> None:
        """Definitions come back as they were, by name, with the injected clock's time."""
        gateway = await _gateway(store, clock)
        definitions = samples.tools("search", "add", "who_am_i")
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes, ToolChanges(created=3, updated=0, removed=0), "replace counts what it created")
        expected = [
            StoredTool(gateway.id, ADA, name, definitions[name], clock(), clock())
            for name in ("add", "search", "who_am_i")
        ]
        await gives(store.tools.list(gateway.id, ADA), expected, "tools are listed by name, exactly as they were put")

    async def test_tool_text_is_kept_as_it_is(self, store: Pieces, clock: MovedClock) -> None:
        """A server may send any JSON text: other scripts, NUL, a lone surrogate; names differ by case."""
        gateway = await _gateway(store, clock)
        odd = "\u00fc\u65e5\U0001f600 'q' \"d\" \\ %s \u0000 \ud800"
        definitions = {name: {"name": name, "description": odd, odd: [odd]} for name in ("Add", "add", "\u00c4dd 's")}
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes.created, 3, "names of tools differ by case")
        seen = {tool.name: tool.definition for tool in await store.tools.list(gateway.id, ADA)}
        same(seen, definitions, "any JSON text in a definition comes back as it was")

    async def test_tools_by_user_and_gateway(self, store: Pieces, clock: MovedClock) -> None:
        """One user's tools are never shown to another, nor one gateway's at another."""
        here, there = await _gateway(store, clock), await _gateway(store, clock)
        await store.tools.replace(here.id, ADA, samples.tools("add"))
        await store.tools.replace(here.id, BOB, samples.tools("search"))
        await store.tools.replace(there.id, ADA, samples.tools("fetch"))
        await store.tools.replace(there.id, ADA, {})
        seen = [[tool.name for tool in await store.tools.list(here.id, user)] for user in (ADA, BOB)]
        same(seen, [["add"], ["search"]], "tools are kept by user and gateway")
        await gives(store.tools.list(there.id, ADA), [], "replacing by nothing removes them all")
        await gives(store.tools.list(there.id, BOB), [], "who has no tools gets an empty list")

    async def test_tool_changes(self, store: Pieces, clock: MovedClock) -> None:
        """New ones are created, differing ones updated, missing ones removed, equal ones left alone."""
        gateway = await _gateway(store, clock)
        began = clock()
        await store.tools.replace(gateway.id, ADA, samples.tools("equal", "differs", "goes"))
        clock.advance(timedelta(hours=1))
        definitions = samples.tools("equal", "differs", "new")
        definitions["differs"] = {**definitions["differs"], "description": "another"}
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes, ToolChanges(created=1, updated=1, removed=1), "replace counts created, updated and removed")
        seen = {tool.name: (tool.created_at, tool.updated_at) for tool in await store.tools.list(gateway.id, ADA)}
        expected = {"differs": (began, clock()), "equal": (began, began), "new": (clock(), clock())}
        same(seen, expected, "an equal definition is left alone, a differing one keeps its created_at")
        again = await store.tools.replace(gateway.id, ADA, definitions)
        same(again, ToolChanges(0, 0, 0), "replacing by the same definitions changes nothing")

    async def test_tools_replaced_by_many(self, store: Pieces, clock: MovedClock) -> None:
        """Ten fetches at once: one of the lists stands in the end, never a mixture."""
        gateway = await _gateway(store, clock)
        lists = [samples.tools(*(f"tool_{number}_{part}" for part in "abc")) for number in range(10)]
        results = await outcomes(store.tools.replace(gateway.id, ADA, definitions) for definitions in lists)
        strange = [result for result in results if isinstance(result, BaseException)]
        holds(not strange, "replacing tools at once disturbs nobody", repr(strange[:1]))
        counted = sum(result.created - result.removed for result in results if isinstance(result, ToolChanges))
        same(counted, 3, "each replace counts against the list that it really replaced")
        seen = [tool.name for tool in await store.tools.list(gateway.id, ADA)]
        holds(seen in [sorted(definitions) for definitions in lists], "replace is atomic: no mixture", repr(seen))

    async def test_a_thousand_tools(self, store: Pieces, clock: MovedClock) -> None:
        """As many as the gateway accepts from one server."""
        gateway = await _gateway(store, clock)
        definitions = samples.tools(*(f"tool_{number:04}" for number in range(1000)))
        changes = await store.tools.replace(gateway.id, ADA, definitions)
        same(changes.created, 1000, "a thousand tools are one list")
        seen = [tool.name for tool in await store.tools.list(gateway.id, ADA)]
        same(seen, sorted(definitions), "a thousand tools are one list, by name")
