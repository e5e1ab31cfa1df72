"""How commands speak: results on stdout, everything else on stderr, tables for people and JSON for programs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

from latchpin.application import Application
from latchpin.assembly import NO_STATE_STORE, assemble, select_stores
from latchpin.commands.tables import UNLIMITED, width_of_output
from latchpin.contracts import StateStore
from latchpin.errors import SettingsError, StateStorageDisabled
from latchpin.plugins.hookspecs import (
    CLIENT_REGISTRAR,
    EVENT_LISTENERS,
    GRANTS,
    IDENTITY_ASSERTIONS,
    RECORD_STORE,
    SIDE_BY_SIDE,
    Hook,
)
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

__all__ = ["TO_SERVERS", "err", "opened", "opened_states", "out", "print_json", "run", "say"]

ResultT = TypeVar("ResultT")

out = Console(width=width_of_output() or UNLIMITED)
err = Console(stderr=True)


def print_json(value: object) -> None:
    """Print for programs: one JSON value, never wrapped or coloured."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def say(text: str) -> None:
    """A word for people, on stderr."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's asynchronous part."""
    return asyncio.run(work)


TO_SERVERS = (CLIENT_REGISTRAR, GRANTS, IDENTITY_ASSERTIONS, EVENT_LISTENERS)
"""What a command needs of ``SIDE_BY_SIDE`` that speaks to a gateway's servers."""


@asynccontextmanager
async def opened(*hooks: Hook[Any], states: bool = False) -> AsyncIterator[Application]:
    """The record store and what stands on it, opened for one command beside a gateway that may be serving.

    Args:
        hooks: of ``hookspecs.SIDE_BY_SIDE``, which the command needs. Nothing else is opened, the state store neither:
            a part that is broken or away stops no command that has no use for it.
        states: the command needs the state store too.

    Raises:
        SettingsError: the records live in a serving process's memory, where no other process can reach them.
    """
    plugins, settings = _installed(hooks)
    record = select_stores(plugins, settings).record
    if not record.shared:
        raise SettingsError(
            f"RECORD_STORE is {record.name}: the records live in the serving process, out of reach",
            remedy="Use CACHE_TYPE=database or redis; with memory, set JWT_SECRET_KEY and use the HTTP API.",
        )
    cache_type = settings.cache_type if states else NO_STATE_STORE
    async with _assembled(plugins, settings, cache_type=cache_type, record_store=record.name) as application:
        yield application


@asynccontextmanager
async def opened_states() -> AsyncIterator[StateStore]:
    """The state store, opened for one command.

    Raises:
        SettingsError: the states live in a serving process's memory.
        StateStorageDisabled: CACHE_TYPE is none.
    """
    plugins, settings = _installed(())
    selection = select_stores(plugins, settings)
    state = selection.state
    if state is None:
        raise StateStorageDisabled
    if not state.shared:
        raise SettingsError(
            f"CACHE_TYPE is {state.name}: the states live in the serving process, out of reach",
            remedy="Restart the gateway: they go with it.",
        )
    beside = {offer.name for offer in plugins.offers(RECORD_STORE)}
    record = state.name if state.name in beside else selection.record.name
    async with _assembled(plugins, settings, cache_type=state.name, record_store=record) as application:
        if application.services.states is None:
            raise StateStorageDisabled
        yield application.services.states


def _installed(hooks: Collection[Hook[Any]]) -> tuple[Plugins, CoreSettings]:
    plugins, settings = Plugins(), load(CoreSettings)
    plugins.require_sound()
    return plugins.without(hook for hook in SIDE_BY_SIDE if hook not in hooks), settings


@asynccontextmanager
async def _assembled(plugins: Plugins, settings: CoreSettings, **stores: str) -> AsyncIterator[Application]:
    async with assemble(plugins, settings.model_copy(update=stores)) as services:
        application = Application(services)
        try:
            yield application
        finally:
            await application.close()
