"""Lets plugins watch operations; one that fails is logged and disturbs nothing. Without any, nothing is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from latchpin.contracts.evidence import StoreDiagnostics
from latchpin.contracts.observers import Observer, Operation
from latchpin.contracts.stores import PagedTokens, RecordStore, StateStore, TokenRecords
from latchpin.model import PendingAuthorization, StateKey, StoredToken

__all__ = ["ObservedRecords", "ObservedStates", "Observers"]

_log = logging.getLogger("latchpin.observers")

_FAILED = "The observer %s failed at %s; nothing else is disturbed. Update or uninstall its distribution"

End = Callable[[], None]


class Observers:
    """Those of a gateway, by what they and their plugins are called, in the order of their rank. False without any."""

    def __init__(self, observers: Mapping[str, Observer] = MappingProxyType({})) -> None:
        self._observers = dict(observers)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, name: str, observer: Observer) -> None:
        """Let one more watch from now on."""
        self._observers[name] = observer

    def watch(self, operation: Operation) -> Watch:
        """Watch what the body does; what it raises is its outcome, unless it has named one."""
        return Watch(self._observers, operation)


class Watch:
    """The context manager behind ``Observers.watch``. A generator would cost several times as much a store call."""

    __slots__ = ("_ends", "_observers", "_operation")

    def __init__(self, observers: Mapping[str, Observer], operation: Operation) -> None:
        self._observers = observers
        self._operation = operation
        self._ends: list[tuple[str, End]] = []

    def __enter__(self) -> Operation:
        """Tell every observer that it begins."""
        for name, observer in self._observers.items():
            try:
                end: End | None = observer.begin(self._operation)
            except Exception:  # noqa: BLE001  an observer may fail in any way
                _log.exception(_FAILED, name, "a beginning")
                continue
            if end is not None:
                self._ends.append((name, end))
        return self._operation

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Tell them, the last first, that it has ended."""
        if kind is not None and self._operation.outcome == "ok":
            self._operation.outcome = kind.__name__
        for name, end in reversed(self._ends):
            try:
                end()
            except Exception:  # noqa: BLE001  as above
                _log.exception(_FAILED, name, "an end")


class ObservedStates:
    """A state store that is watched."""

    def __init__(self, states: StateStore, observers: Observers) -> None:
        self._states = states
        self._observers = observers
        if isinstance(states, StoreDiagnostics):  # else it must not look like one
            self.facts = states.facts

    async def put(self, pending: PendingAuthorization) -> None:
        """Put."""
        with self._observers.watch(Operation("store", "states.put")):
            await self._states.put(pending)

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Consume."""
        with self._observers.watch(Operation("store", "states.consume")):
            return await self._states.consume(key)

    async def purge(self, *, everything: bool = False) -> int:
        """Purge."""
        with self._observers.watch(Operation("store", "states.purge")):
            return await self._states.purge(everything=everything)

    async def check(self) -> None:
        """Check."""
        with self._observers.watch(Operation("store", "states.check")):
            await self._states.check()


class _ObservedTokens:
    """Token records of which the two calls that users wait for are watched."""

    def __init__(self, tokens: TokenRecords, observers: Observers) -> None:
        self._tokens = tokens
        self._observers = observers
        self.list = tokens.list
        self.list_due = tokens.list_due
        self.count = tokens.count
        self.delete = tokens.delete
        self.delete_all = tokens.delete_all
        if isinstance(tokens, PagedTokens):
            self.page = tokens.page

    async def get(self, gateway_id: str, app_user_email: str, label: str | None = "") -> StoredToken | None:
        """Get."""
        with self._observers.watch(Operation("store", "tokens.get")):
            return await self._tokens.get(gateway_id, app_user_email, label)

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        """Put."""
        with self._observers.watch(Operation("store", "tokens.put")):
            await self._tokens.put(token, replacing=replacing)


class ObservedRecords:
    """A record store whose tokens are watched."""

    def __init__(self, records: RecordStore, observers: Observers) -> None:
        self.gateways = records.gateways
        self.tokens: TokenRecords = _ObservedTokens(records.tokens, observers)
        self.clients = records.clients
        self.collection = records.collection
        self.purge = records.purge
        self.check = records.check
