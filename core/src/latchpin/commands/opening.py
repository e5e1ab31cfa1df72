"""What a command opens: the stores and what stands on them, beside a gateway that may be serving.

It loads all of the gateway, so only a command that opens something imports it, by ``latchpin.commands.console``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from latchpin.application import Application
from latchpin.assembly.assembling import assemble
from latchpin.assembly.selection import NO_STATE_STORE, select_stores
from latchpin.contracts import StateStore
from latchpin.errors import SettingsError, StateStorageDisabled
from latchpin.plugins.hookspecs import RECORD_STORE, SIDE_BY_SIDE, Hook
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

__all__ = ["open_application", "open_states"]


@asynccontextmanager
async def open_application(*hooks: Hook[Any], states: bool = False) -> AsyncIterator[Application]:
    """See ``latchpin.commands.console.opened``."""
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
async def open_states() -> AsyncIterator[StateStore]:
    """See ``latchpin.commands.console.opened_states``."""
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
