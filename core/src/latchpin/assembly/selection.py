"""Which stores the settings select."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latchpin.contracts import (
    Backend,
    RecordStore,
    StateStore,
)
from latchpin.errors import SettingsError
from latchpin.plugins.hookspecs import RECORD_STORE, STATE_STORE
from latchpin.plugins.host import Plugins
from latchpin.settings.core import CoreSettings

__all__ = ["KEYS_OF_SETTINGS", "NO_KEY_WRAPPER", "NO_STATE_STORE", "Selection", "select_stores"]

NO_STATE_STORE = "none"
NO_KEY_WRAPPER = "none"
KEYS_OF_SETTINGS = "settings"
AUTO = "auto"
DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stores the settings select, and why. ``state`` is None with CACHE_TYPE=none."""

    state: Backend[Any, StateStore] | None
    state_reason: str
    record: Backend[Any, RecordStore]
    record_reason: str


def select_stores(plugins: Plugins, settings: CoreSettings) -> Selection:
    """Choose the stores by name.

    Raises:
        SettingsError: a name that nothing offers; it lists what is installed and what to install.
    """
    state: Backend[Any, StateStore] | None = None
    if settings.cache_type != NO_STATE_STORE:
        state = plugins.select(STATE_STORE, settings.cache_type)
    name, reason = settings.record_store, f"RECORD_STORE={settings.record_store}"
    if name == AUTO:
        offered = {offer.name for offer in plugins.offers(RECORD_STORE)}
        if DATABASE in offered:
            name, reason = DATABASE, "RECORD_STORE=auto prefers database, which is installed"
        elif state is not None:
            name, reason = state.name, "RECORD_STORE=auto follows CACHE_TYPE, as database is not installed"
        else:
            raise SettingsError(
                "RECORD_STORE=auto finds no store: install latchpin-sql-store, or name an installed one",
                remedy="pip install latchpin-sql-store",
            )
    record = plugins.select(RECORD_STORE, name)
    return Selection(state, f"CACHE_TYPE={settings.cache_type}", record, reason)
