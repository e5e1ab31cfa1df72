"""What Latchpin finds: the ring as a source of keys, what tends it, the commands and the checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import BackgroundTask, Check, Command, Every, Gauge, KeySource

from latchpin_key_ring.ring import NAME

if TYPE_CHECKING:
    from latchpin.contracts import CheckContext, Finding
    from latchpin.sdk.gateway import Application

    from latchpin_key_ring.settings import KeyRingSettings

__all__ = [
    "latchpin_background_tasks",
    "latchpin_checks",
    "latchpin_commands",
    "latchpin_gauges",
    "latchpin_key_source",
]


@asynccontextmanager
async def _open_ring(_settings: KeyRingSettings, context: latchpin.Context) -> AsyncIterator[KeySource]:
    from latchpin_key_ring.live import live_ring  # noqa: PLC0415  loaded when opened

    yield await live_ring(context)


@asynccontextmanager
async def _open_tending(
    settings: KeyRingSettings, _context: latchpin.Context
) -> AsyncIterator[BackgroundTask[Application] | None]:
    from latchpin.sdk.settings import CoreSettings, load  # noqa: PLC0415  loaded when opened

    from latchpin_key_ring.tending import SECONDS, Tending  # noqa: PLC0415  as above

    yield Every(SECONDS, Tending(settings).turn) if load(CoreSettings).key_source == NAME else None


@latchpin.hookimpl
def latchpin_key_source() -> latchpin.Backend[KeyRingSettings, KeySource]:
    """Offer what KEY_SOURCE=ring selects."""
    from latchpin_key_ring.settings import KeyRingSettings  # noqa: PLC0415  loaded when asked for

    return latchpin.Backend(NAME, "the key ring in the record store", KeyRingSettings, _open_ring)


@latchpin.hookimpl
def latchpin_background_tasks() -> Sequence[latchpin.Backend[KeyRingSettings, BackgroundTask[Application] | None]]:
    """End rotations, and begin them in time."""
    from latchpin_key_ring.settings import KeyRingSettings  # noqa: PLC0415  loaded when asked for

    return [latchpin.Backend("key-ring", "rotating keys", KeyRingSettings, _open_tending)]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin keys``."""
    return [
        Command(
            "keys", "Keys: see what stands under each, rotate, seal anew, retire.", "latchpin_key_ring.commands:app"
        )
    ]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Say whether a rotation has come to its end."""
    return [Check("key-rotation", "Keys", "rotations of keys", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_key_ring.checks import check_rotation  # noqa: PLC0415  loads the gateway

    return await check_rotation(context)


@latchpin.hookimpl
def latchpin_gauges() -> Sequence[Gauge]:
    """Say how old today's key is."""
    return [Gauge("key_age_seconds", "Age of today's key, where there is a key ring.", _age)]


async def _age(application: Application) -> float | None:
    if application.services.settings.key_source != NAME:
        return None
    from latchpin_key_ring.live import live_ring  # noqa: PLC0415  loaded when asked for

    ring = (await live_ring(application.services.context)).ring
    if ring is None or ring.current is None:
        return None
    return (application.services.clock() - ring.current.since).total_seconds()
