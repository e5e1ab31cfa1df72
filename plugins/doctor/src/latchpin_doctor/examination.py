"""What is examined: the gateway as far as it can be opened, or one that runs in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from latchpin.contracts import Backend, Clock, Context, Instance, RecordStore, StateStore, Upstream
from latchpin.errors import LatchpinError, PluginError
from latchpin.sdk.assembly import (
    NO_STATE_STORE,
    Looking,
    Plugins,
    Selection,
    assemble,
    list_instances,
    select_stores,
    utc_now,
)
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import CoreSettings
from pydantic_settings import BaseSettings

from latchpin_doctor.lenient import read, read_core

__all__ = ["Examination", "look_at", "open_examination"]

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class Examination:
    """Implements ``latchpin.contracts.CheckContext``, with what core's own checks look at besides.

    Attributes:
        settings: the core's; where a value does not hold, its default stands in.
        plugins: what is installed, sound or not.
        application: the gateway, as far as it could be opened; its ``services.states`` may be None all the same.
        obstacle: why the gateway could not be opened, or not wholly; None if it could.
    """

    clock: Clock
    offline: bool
    gateway_id: str | None
    settings: CoreSettings
    plugins: Plugins
    state_backend: Backend[Any, StateStore] | None
    record_backend: Backend[Any, RecordStore] | None
    application: Application | None
    instances: Sequence[Instance] = ()
    obstacle: LatchpinError | None = None

    @property
    def base_url(self) -> str:
        """BASE_URL."""
        return self.settings.base_url

    @property
    def records(self) -> RecordStore | None:
        """The record store."""
        return None if self.application is None else self.application.services.records

    @property
    def opened(self) -> Context | None:
        """What the gateway's parts are opened with."""
        return None if self.application is None else self.application.services.context

    @property
    def upstream(self) -> Upstream | None:
        """The guarded way to other servers."""
        return None if self.application is None else self.application.services.upstream

    def load(self, model: type[SettingsT]) -> SettingsT:
        """Read a settings model, with defaults in place of what does not hold."""
        return read(model)


async def look_at(
    application: Application, plugins: Plugins, *, gateway_id: str | None = None, offline: bool = False
) -> Examination:
    """Examine a gateway that runs in this process."""
    services = application.services
    return Examination(
        clock=services.clock,
        offline=offline,
        gateway_id=gateway_id,
        settings=services.settings,
        plugins=plugins,
        state_backend=services.state_backend,
        record_backend=services.record_backend,
        application=application,
        instances=await _instances(application),
    )


@asynccontextmanager
async def open_examination(
    plugins: Plugins, *, gateway_id: str | None = None, offline: bool = False, clock: Clock = utc_now
) -> AsyncIterator[Examination]:
    """Open the gateway that the settings describe, as far as that goes, beside one that may be serving.

    Nothing is changed by it. It does not raise for what is wrong with the gateway.
    """
    settings = read_core()
    selection, obstacle = _select(plugins.diagnostic(), settings)
    async with AsyncExitStack() as stack:
        application = None
        if selection is not None and selection.record.shared:
            application, obstacle = await _open(stack, plugins, settings, clock)
        yield Examination(
            clock=clock,
            offline=offline,
            gateway_id=gateway_id,
            settings=settings,
            plugins=plugins,
            state_backend=None if selection is None else selection.state,
            record_backend=None if selection is None else selection.record,
            application=application,
            instances=await _instances(application),
            obstacle=obstacle,
        )


async def _instances(application: Application | None) -> Sequence[Instance]:
    """Who serves; nobody is known where the store cannot be asked, which other checks say."""
    if application is None:
        return ()
    services = application.services
    try:
        return await list_instances(services.kept, services.clock)
    except LatchpinError:
        return ()


def _select(plugins: Plugins, settings: CoreSettings) -> tuple[Selection | None, LatchpinError | None]:
    """The stores; if the state store is not to be had, the record store alone."""
    obstacle: LatchpinError | None = None
    for cache_type in dict.fromkeys((settings.cache_type, NO_STATE_STORE)):
        try:
            return select_stores(plugins, settings.model_copy(update={"cache_type": cache_type})), obstacle
        except LatchpinError as exc:
            obstacle = obstacle or exc
    return None, obstacle


async def _open(
    stack: AsyncExitStack, plugins: Plugins, settings: CoreSettings, clock: Clock
) -> tuple[Application | None, LatchpinError | None]:
    """The gateway; if it cannot be opened whole, without the state store."""
    obstacle: LatchpinError | None = None
    for cache_type in dict.fromkeys((settings.cache_type, NO_STATE_STORE)):
        chosen, looking = settings.model_copy(update={"cache_type": cache_type}), Looking(read)
        try:
            services = await stack.enter_async_context(assemble(plugins, chosen, clock=clock, looking=looking))
        except Exception as exc:  # noqa: BLE001  a plugin may fail in any way
            obstacle = obstacle or _named(exc)
        else:
            application = Application(services)
            stack.push_async_callback(application.close)
            return application, obstacle or next(map(_named, looking.failed), None)
    return None, obstacle


def _named(error: Exception) -> LatchpinError:
    """A failure that nobody foresaw is a plugin's."""
    if isinstance(error, LatchpinError):
        return error
    return PluginError(f"a part of the gateway failed to open with {type(error).__name__}")
