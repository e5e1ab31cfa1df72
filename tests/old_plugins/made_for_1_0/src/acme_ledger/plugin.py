"""What Latchpin finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import latchpin
from latchpin.contracts import (
    Backend,
    Check,
    CheckContext,
    Command,
    Context,
    EventListener,
    Finding,
    Gauge,
    Identity,
    NavigationEntry,
    Severity,
    StateStore,
)
from latchpin.sdk.gateway import Application

from acme_ledger.settings import LedgerSettings

LATCHPIN_HOOK_API = "1.0"


@asynccontextmanager
async def _open_states(_settings: LedgerSettings, context: Context) -> AsyncIterator[StateStore]:
    from acme_ledger.states import LedgerStates

    yield LedgerStates(context.clock)


@asynccontextmanager
async def _open_badges(settings: LedgerSettings, context: Context) -> AsyncIterator[Identity]:
    from acme_ledger.badges import Badges

    yield Badges(context, settings.acme_badge_secret.get_secret_value())


@asynccontextmanager
async def _open_listener(_settings: LedgerSettings, _context: Context) -> AsyncIterator[EventListener]:
    from acme_ledger.entries import Listener

    yield Listener()


@latchpin.hookimpl
def latchpin_state_store() -> Backend[LedgerSettings, StateStore]:
    return Backend("acme-ledger", "ACME's ledger", LedgerSettings, _open_states, shared=False)


@latchpin.hookimpl
def latchpin_identity() -> Sequence[Backend[LedgerSettings, Identity]]:
    return [Backend("acme-badge", "a badge of ACME", LedgerSettings, _open_badges, rank=30)]


@latchpin.hookimpl
def latchpin_event_listeners() -> Backend[LedgerSettings, EventListener]:
    return Backend("acme-ledger", "ACME's ledger", LedgerSettings, _open_listener)


@latchpin.hookimpl
def latchpin_settings() -> type[LedgerSettings]:
    return LedgerSettings


@latchpin.hookimpl
def latchpin_routes() -> str:
    return "acme_ledger.web:router"


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    return [NavigationEntry("Ledger", "/acme/ledger", "What ACME noted.")]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    return [Command("ledger", "Show the ledger.", "acme_ledger.commands:app")]


@latchpin.hookimpl
def latchpin_gauges() -> Sequence[Gauge]:
    return [Gauge("acme_ledger_entries", "Entries in the ledger.", _count)]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    return [Check("acme-ledger", "Stores", "the ledger", _check)]


async def _count(application: Application) -> float | None:
    from latchpin.model import Span

    from acme_ledger.entries import ENTRIES

    return await application.services.context.collection(ENTRIES).count("person", Span())


async def _check(context: CheckContext) -> Sequence[Finding]:
    if context.records is None:
        return [Finding(Severity.SKIPPED, "The ledger could not be looked at")]
    return [Finding(Severity.OK, "The ledger is there")]
