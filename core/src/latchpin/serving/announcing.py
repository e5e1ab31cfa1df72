"""Each serving process says that it is there, and what it runs with.

Doctor compares them: two that sign with different keys, or keep states where the other does not look, fail users
now and then. Keys are named by their ids, from which nothing of a key can be learnt.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from latchpin.assembly.clock import StoreClock
from latchpin.assembly.selection import KEYS_OF_SETTINGS
from latchpin.contracts import StoreDiagnostics
from latchpin.errors import LatchpinError
from latchpin.services import Services
from latchpin.workers.instances import LIFE, PREFIX

__all__ = ["INTERVAL_SECONDS", "announce", "announced", "keys_of"]

_log = logging.getLogger("latchpin.instances")

INTERVAL_SECONDS = 60.0


@asynccontextmanager
async def announced(services: Services) -> AsyncIterator[None]:
    """Make this process's entry, and take it back at the end."""
    await announce(services)
    try:
        yield
    finally:
        with suppress(LatchpinError):  # it expires
            await services.kept.take(f"{PREFIX}{services.instance_id}")


def keys_of(services: Services) -> dict[str, str]:
    """The names of the keys that this process signs and seals with; of the settings' own where others come and go."""
    signing, sealing = services.signer.key_id, services.cipher.key_id
    if services.settings.key_source != KEYS_OF_SETTINGS:
        own = services.context.own_keys
        signing, sealing = own("state signature")[0].id, own("sealing")[0].id
    return {"signing_key": signing, "sealing_key": sealing}


async def _describe(services: Services) -> dict[str, str]:
    """What this process runs with."""
    state = services.state_backend
    shared = state is None or state.shared
    return {
        "pid": str(os.getpid()),
        **keys_of(services),
        "state_store": "none" if state is None else state.name,
        "state_store_shared": "yes" if shared else "no",
        "state_data": await _name_of_data(services) if shared else "",
        "base_url": services.settings.base_url,
    }


async def _name_of_data(services: Services) -> str:
    """Names the data behind the state store, so that two stores of one kind can be told apart."""
    states = services.states
    return (await states.facts()).name[:12] if isinstance(states, StoreDiagnostics) else ""


async def announce(services: Services) -> None:
    """Say it once, by the store's clock; a store that is away is told the next time."""
    if isinstance(services.clock, StoreClock):
        await services.clock.follow(services.states)
    name, now = f"{PREFIX}{services.instance_id}", services.clock()
    try:
        entry = {"host": socket.gethostname(), "seen_at": now.isoformat(), "facts": await _describe(services)}
        await services.kept.take(name)
        await services.kept.put(name, json.dumps(entry), expires_at=now + LIFE)
    except LatchpinError as exc:
        _log.debug("This process could not be announced: %s", exc.detail or exc.public)
    except Exception:  # noqa: BLE001  it serves all the same; whatever it was is logged
        _log.exception("This process could not be announced")
