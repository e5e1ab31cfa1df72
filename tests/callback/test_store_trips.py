"""How often an authorization goes to its stores: what a person waits for, and what each flow costs a database.

What is asked in one round of the event loop goes in one trip, as a store that gathers what is asked together sends it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gateway_in_process import InnerGateway

if TYPE_CHECKING:
    from tests.providers import FaultSwitch

pytestmark = pytest.mark.needs("latchpin_audit", "latchpin_dcr", "latchpin_memory_store")

NEW, RETURNING = "new@example.com", "returning@example.com"
CALLER = 1
"""Whether who is named is out, which a worker knows for half a second."""
AUTHORIZE = 2
"""What it needs to know, and the state that is put."""
CALLBACK = 6
"""What it needs to know; the state consumed, beside its lease, the earlier token and whether the person is out; the
token put; gateway and person once more, since either may have been changed meanwhile; who it is for the audit log; its
entry."""
FIRST_ENTRY = 2
"""More where a person has no pseudonym in the audit log: it is made, and once it is named, they may not have been
forgotten meanwhile."""


BESIDE = (
    "core_kept.delete(lease:",
    "core_flows.put_all(",
    "core_flow_sheets.put(",
    "policy_",
    "core_kept.get(ended-stamp",
    "core_revocations.scan(due",
)
"""A lease given back, the history of flows and what is owed to servers, for which nobody waits; the groups that people
are in, and whether anything was ended, which one read a second has for all."""


@dataclass
class Trips:
    """What was asked of the stores, trip by trip."""

    made: list[list[str]] = field(default_factory=list)
    _open: bool = False

    def note(self, what: str) -> None:
        if what.startswith(BESIDE):
            return  # comes when it likes: a trip that began with it would end amid what is asked together
        if not self._open:
            self._open = True
            self.made.append([])
            asyncio.get_running_loop().call_soon(self._leave)
        self.made[-1].append(what)

    def _leave(self) -> None:
        self._open = False

    @contextmanager
    def counted(self, most: int) -> Iterator[None]:
        """At most so many are made in the body."""
        self.made.clear()
        yield
        assert len(self.made) <= most, "\n".join(map(str, self.made))


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """Counts the trips to the memory store, which answers in the next round only, as others do."""
    from latchpin_memory_store import collections, records, states

    monkeypatch.setattr("latchpin.authorization.step_up.UNSEEN", 600)  # in the event loop's time, which no test moves
    trips = Trips()
    asked_of: dict[type, tuple[str, ...]] = {
        states.MemoryStateStore: ("put", "consume", "facts"),
        records._Gateways: ("get", "put", "replace", "list"),
        records._Tokens: ("get", "put", "list"),
        records._Clients: ("get", "put", "list"),
        collections.MemoryCollection: ("put", "put_all", "get", "delete", "take", "scan", "count"),
    }
    for kind, names in asked_of.items():
        for name in names:
            _count(monkeypatch, trips, kind, name)
    return trips


def _count(monkeypatch: pytest.MonkeyPatch, trips: Trips, kind: type, name: str) -> None:
    inner = getattr(kind, name)

    @functools.wraps(inner)
    async def asked(self: Any, *args: Any, **options: Any) -> Any:
        whose = getattr(self, "_name", kind.__name__)
        trips.note(f"{whose}.{name}({str(args[0])[:50] if args else ''})")
        await asyncio.sleep(0)
        return await inner(self, *args, **options)

    monkeypatch.setattr(kind, name, asked)


@pytest.fixture
async def gateway_id(trips: Trips, gateway: InnerGateway, provider: FaultSwitch) -> str:
    """One whose client was registered for others; nothing else of it is remembered but where its server is."""
    made = await gateway.add(provider.provider.mcp_url)
    await _flow(gateway, made, RETURNING, trips, authorize=100, callback=100)
    return made


async def _flow(
    gateway: InnerGateway, gateway_id: str, person: str, trips: Trips, *, authorize: int, callback: int, later: int = 2
) -> None:
    """Authorize with so many trips; the callback, and what comes next, are so many seconds later."""
    if later:
        _forget_marks(gateway)
    async with gateway.browser(person) as browser:
        with trips.counted(authorize):
            url = await gateway.returned(browser, gateway_id)
        gateway.clock.advance(seconds=later)
        with trips.counted(callback):
            answer = await browser.open(url, follow=False)
            assert answer.status == 303, answer.text
    gateway.clock.advance(seconds=later)


def _forget_marks(gateway: InnerGateway) -> None:
    step_up: Any = gateway.application.step_up
    step_up._seen.clear()


async def test_a_person_who_comes_again(trips, gateway, gateway_id):
    await _flow(gateway, gateway_id, RETURNING, trips, authorize=CALLER + AUTHORIZE, callback=CALLER + CALLBACK)


async def test_a_new_person(trips, gateway, gateway_id):
    most = CALLER + CALLBACK + FIRST_ENTRY
    await _flow(gateway, gateway_id, NEW, trips, authorize=CALLER + AUTHORIZE, callback=most)


async def test_what_was_read_for_others_a_moment_ago_is_not_read_again(trips, gateway, gateway_id):
    gateway.clock.stop()
    await _flow(gateway, gateway_id, RETURNING, trips, authorize=100, callback=100, later=0)
    await _flow(gateway, gateway_id, RETURNING, trips, authorize=1, callback=CALLBACK - 1, later=0)
