"""Settings and plugins to opened services, on one exit stack: what is opened first is closed last."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from latchpin.activity.activity import Activity
from latchpin.activity.observers import ObservedRecords, ObservedStates, Observers
from latchpin.assembly.clock import StoreClock, utc_now
from latchpin.assembly.looking import Looking
from latchpin.assembly.open_context import OpenContext
from latchpin.assembly.selection import KEYS_OF_SETTINGS, NO_KEY_WRAPPER, Selection, select_stores
from latchpin.contracts import Clock, SignIn, SignInOffer, StateStore
from latchpin.errors import LatchpinError, PluginError
from latchpin.outbound.upstream import open_upstream
from latchpin.plugins import hookspecs
from latchpin.plugins.host import Offer, Plugins
from latchpin.records.tools import ToolRecords
from latchpin.records.writes import NotedRecords
from latchpin.services import Services
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.workers.instance_names import new_instance_name
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses

__all__ = ["assemble"]


@asynccontextmanager
async def assemble(
    plugins: Plugins,
    settings: CoreSettings,
    *,
    clock: Clock = utc_now,
    instance_id: str | None = None,
    looking: Looking | None = None,
) -> AsyncIterator[Services]:
    """Open everything that the settings select and close it, in reverse, at the end.

    Args:
        plugins: what is installed.
        settings: what selects among it.
        clock: the gateway's clock; this machine's is set by that of the store.
        instance_id: names this process; by default at random.
        looking: to look for what is wrong: broken plugins are passed over, and no store changes its schema.

    Raises:
        PluginError: a plugin is broken, or two clash.
        SettingsError: a setting does not hold, or names what is not installed.
        BackendUnavailable, SchemaOutdated: a store cannot be opened.
    """
    if looking is None:
        plugins.require_sound()
    else:
        plugins = plugins.diagnostic()
    selection = select_stores(plugins, settings)
    if clock is utc_now and looking is None:
        clock = StoreClock()
    observers, activity = Observers(), Activity(clock)
    async with AsyncExitStack() as stack:
        context = OpenContext(
            settings=settings,
            clock=clock,
            instance_id=instance_id or new_instance_name(),
            observers=observers,
            activity=activity,
            plugins=plugins,
            stack=stack,
            upstream=await stack.enter_async_context(open_upstream(settings, observers=observers)),
            looking=looking,
        )
        await _open_keys(context)
        states = await _open_stores(context, selection)
        if isinstance(clock, StoreClock):
            await clock.follow(states)
        yield await _open_others(context, selection, states)


async def _open_keys(context: OpenContext) -> None:
    """What wraps, signs and seals, before the stores: they keep what is sealed."""
    plugins, settings = context.plugins, context.settings
    for name in dict.fromkeys((settings.key_wrapper, *settings.key_wrappers_old)):
        if name != NO_KEY_WRAPPER:
            selected = plugins.select(hookspecs.KEY_WRAPPER, name)
            context.key_wrappers[name] = await context.open(hookspecs.KEY_WRAPPER, selected)
    context.opened_signer = await context.open(hookspecs.SIGNER, plugins.select(hookspecs.SIGNER, settings.signer))
    context.opened_cipher = await context.open(hookspecs.CIPHER, plugins.select(hookspecs.CIPHER, settings.cipher))


async def _open_stores(context: OpenContext, selection: Selection) -> StateStore | None:
    """The selected stores, observed if anybody observes; None with CACHE_TYPE=none."""
    observers = context.observers
    for name, observer in (await context.open_told(hookspecs.OBSERVERS)).items():
        observers.add(name, observer)
    records = await context.open(hookspecs.RECORD_STORE, selection.record)
    context.opened_records = NotedRecords(ObservedRecords(records, observers) if observers else records, context.writes)
    await _open_source(context)
    if selection.state is None:
        return None
    states = await context.open(hookspecs.STATE_STORE, selection.state)
    return ObservedStates(states, observers) if observers else states


async def _open_source(context: OpenContext) -> None:
    """What gives today's keys, where they do not follow from the settings alone."""
    name = context.settings.key_source
    if name != KEYS_OF_SETTINGS:
        backend = context.plugins.select(hookspecs.KEY_SOURCE, name)
        context.key_source = await context.open(hookspecs.KEY_SOURCE, backend)


async def _open_others(context: OpenContext, selection: Selection, states: StateStore | None) -> Services:
    """All that is offered side by side, and everything put together."""
    plugins, settings, clock, kept = context.plugins, context.settings, context.clock, context.kept
    return Services(
        settings=settings,
        clock=clock,
        instance_id=context.instance_id,
        signer=context.signer,
        cipher=context.cipher,
        pkce=plugins.select(hookspecs.PKCE_METHODS, settings.oauth_preferred_code_challenge_method),
        states=states,
        state_backend=selection.state,
        records=context.records,
        record_backend=selection.record,
        context=context,
        declared=context.declared,
        kept=kept,
        leases=Leases(kept, clock),
        pauses=Pauses(kept, clock),
        tools=ToolRecords(context.records, clock),
        upstream=context.upstream,
        registrars=await context.open_each(hookspecs.CLIENT_REGISTRAR),
        identities=await context.open_each(hookspecs.IDENTITY),
        groups=await context.open_named(hookspecs.GROUPS),
        observers=context.observers,
        call_observers=await context.open_told(hookspecs.CALL_OBSERVERS),
        sign_ins=_sign_ins(plugins),
        auth_schemes={offer.name: offer.value for offer in plugins.offers(hookspecs.AUTH_SCHEMES)},
        grants=await context.open_named(hookspecs.GRANTS),
        assertion_sources=await context.open_each(hookspecs.IDENTITY_ASSERTIONS),
        authentications={offer.name: offer.value for offer in plugins.offers(hookspecs.CLIENT_AUTHENTICATIONS)},
        activity=await _open_readers(context),
        providers=sorted(plugins.values(hookspecs.SERVER_PROFILES), key=lambda profile: profile.rank),
        background_tasks=await context.open_named(hookspecs.BACKGROUND_TASKS),
        gauges=plugins.values(hookspecs.GAUGES),
        key_uses=plugins.values(hookspecs.KEY_USES),
        mcp_servers=sorted(plugins.values(hookspecs.MCP_SERVERS), key=lambda each: each.rank),
        tool_gates=await context.open_named(hookspecs.TOOL_GATES),
        scope_ceilings=await context.open_named(hookspecs.SCOPE_CEILINGS),
        entry_notes=await context.open_named(hookspecs.ENTRY_NOTES),
        connection_notes=plugins.values(hookspecs.CONNECTION_NOTES),
        connection_observers=await context.open_told(hookspecs.CONNECTION_OBSERVERS),
        protected_resources=plugins.values(hookspecs.PROTECTED_RESOURCES),
        writes=context.writes,
    )


async def _open_readers(context: OpenContext) -> Activity:
    """Those who are told what happened."""
    listeners = await context.open_told(hookspecs.EVENT_LISTENERS)
    context.activity.add(listeners, await context.open_told(hookspecs.RECORDERS))
    return context.activity


def _sign_ins(plugins: Plugins) -> list[SignIn]:
    """The ways to sign in that are set up.

    Raises:
        PluginError: two plugins offer one name.
        SettingsError: a setting of one of them does not hold.
    """
    found = (_describe(offer) for offer in plugins.offers(hookspecs.SIGN_INS))
    return [way for way in found if way is not None]


def _describe(offer: Offer[SignInOffer[Any]]) -> SignIn | None:
    settings = load(offer.value.settings)
    try:
        return offer.value.describe(settings)
    except LatchpinError:
        raise
    except Exception as exc:
        text = f"{offer.plugin} could not describe sign-in '{offer.name}': {type(exc).__name__}: {exc}"
        raise PluginError(text, remedy="Repair, update or uninstall that distribution.") from exc
