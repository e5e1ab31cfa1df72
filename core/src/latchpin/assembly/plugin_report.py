"""What the installed plugins offer, and what is selected and why: for ``latchpin plugins`` and for pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchpin.assembly.selection import select_stores
from latchpin.contracts import SignInOffer
from latchpin.errors import LatchpinError, PluginError
from latchpin.plugins.hookspecs import (
    CIPHER,
    KEY_SOURCE,
    KEY_WRAPPER,
    PKCE_METHODS,
    RECORD_STORE,
    SIGN_INS,
    SIGNER,
    STATE_STORE,
)
from latchpin.plugins.host import Offer, Plugin, Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

__all__ = ["OfferRow", "PluginReport", "build_plugin_report"]


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer of one plugin.

    Attributes:
        offers: the hook in words.
        name: what settings select it by.
        selected: ``no``, or ``yes`` with the setting or the rule that decided.
    """

    distribution: str
    version: str
    plugin: str
    offers: str
    name: str
    selected: str


@dataclass(frozen=True, slots=True)
class PluginReport:
    """Every offer, several that read alike once, and what is wrong.

    Attributes:
        faults: what is wrong, each with its plugin, distribution, version and remedy; the gateway does not start.
        warning: why it is not known which stores are selected, empty if it is.
        leaving: what plugins use that goes with the next hook API, a sentence each.
    """

    rows: list[OfferRow]
    faults: list[PluginError]
    warning: str
    leaving: list[str]


def build_plugin_report(installed: Plugins) -> PluginReport:
    """Look at what is installed, with the settings as they are read now. It never fails.

    What plugins name by its place is not loaded: what is wrong there, ``latchpin doctor`` says, or the start.
    """
    found = installed.diagnostic()
    chosen, warning = _chosen(found)
    rows = [_row(offer, chosen) for offer in found.all_offers()]
    broken = [plugin for plugin in installed.installed if plugin.error is not None]
    rows += [_row_without_offer(plugin, "(broken)", f"failed to load: {plugin.error}") for plugin in broken]
    return PluginReport(list(dict.fromkeys(rows)), installed.faults(load=False), warning, installed.leaving())


def _row(offer: Offer[Any], chosen: Mapping[tuple[str, str], str]) -> OfferRow:
    if offer.hook is SIGN_INS:
        selected = _about_sign_in(offer)
    elif offer.hook.variable:
        selected = chosen.get((offer.hook.variable, offer.name), "no")
    else:
        selected = f"yes: {offer.hook.used}"
    plugin = offer.plugin
    return OfferRow(plugin.distribution, plugin.version, plugin.name, offer.hook.words, offer.name, selected)


def _row_without_offer(plugin: Plugin, offers: str, selected: str) -> OfferRow:
    return OfferRow(plugin.distribution, plugin.version, plugin.name, offers, "", selected)


def _chosen(installed: Plugins) -> tuple[dict[tuple[str, str], str], str]:
    """Why the offers are selected that settings choose, by variable and name; and why that is not known."""
    chosen: dict[tuple[str, str], str] = {}
    try:
        settings = load(CoreSettings)
        for hook in (KEY_WRAPPER, KEY_SOURCE, SIGNER, CIPHER, PKCE_METHODS):
            name = getattr(settings, hook.variable.lower())
            chosen[hook.variable, name] = f"yes: {hook.variable}={name}"
        selection = select_stores(installed, settings)
    except LatchpinError as exc:
        return chosen, exc.detail or exc.public
    if selection.state is not None:
        chosen[STATE_STORE.variable, selection.state.name] = f"yes: {selection.state_reason}"
    chosen[RECORD_STORE.variable, selection.record.name] = f"yes: {selection.record_reason}"
    return chosen, ""


def _about_sign_in(offer: Offer[SignInOffer[Any]]) -> str:
    try:
        way = offer.value.describe(load(offer.value.settings))
    except LatchpinError as exc:
        return f"unknown: {exc.detail or exc.public}"
    except Exception as exc:  # noqa: BLE001  a plugin may fail in any way, and the others are shown
        return f"unknown: it failed with {type(exc).__name__}"
    return f"yes: the login page links to {way.path}" if way else f"no: not set up; set {offer.value.needs}"
