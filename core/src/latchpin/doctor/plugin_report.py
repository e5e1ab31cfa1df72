"""What the installed plugins offer, and what is selected and why: for ``latchpin plugins`` and for pages."""

from __future__ import annotations

from dataclasses import dataclass

from latchpin.assembly import select_stores
from latchpin.errors import LatchpinError, PluginError
from latchpin.plugins.host import Offer, Plugin, Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

__all__ = ["OfferRow", "PluginReport", "build_plugin_report"]

_ALL_USED = {
    "latchpin_client_registrar": "all are asked, in order of rank",
    "latchpin_identity": "all are asked",
    "latchpin_client_authentications": "chosen for each gateway",
    "latchpin_server_profiles": "each holds at its own servers",
    "latchpin_identity_assertions": "all are asked, in order of rank",
    "latchpin_commands": "all",
    "latchpin_event_listeners": "all",
    "latchpin_observers": "all watch",
    "latchpin_background_tasks": "each serving process runs all",
    "latchpin_routes": "all",
    "latchpin_navigation": "all",
    "latchpin_settings": "all",
    "latchpin_checks": "doctor runs all",
}


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
    """

    rows: list[OfferRow]
    faults: list[PluginError]
    warning: str


def build_plugin_report(installed: Plugins) -> PluginReport:
    """Look at what is installed, with the settings as they are read now. It never fails."""
    found = installed.diagnostic()
    reasons, warning = _reasons(found)
    rows = [_row(offer, reasons) for offer in found.all_offers()]
    broken = [plugin for plugin in installed.installed if plugin.error is not None]
    rows += [_row_without_offer(plugin, "(broken)", f"failed to load: {plugin.error}") for plugin in broken]
    return PluginReport(list(dict.fromkeys(rows)), installed.faults(), warning)


def _row(offer: Offer, reasons: dict[tuple[str, str], str]) -> OfferRow:
    return OfferRow(
        distribution=offer.plugin.distribution,
        version=offer.plugin.version,
        plugin=offer.plugin.name,
        offers=offer.hook.removeprefix("latchpin_").replace("_", " "),
        name=offer.name,
        selected=reasons.get((offer.hook, offer.name), reasons.get((offer.hook, "*"), "no")),
    )


def _row_without_offer(plugin: Plugin, offers: str, selected: str) -> OfferRow:
    return OfferRow(plugin.distribution, plugin.version, plugin.name, offers, "", selected)


def _reasons(installed: Plugins) -> tuple[dict[tuple[str, str], str], str]:
    """Why each offer is selected, by hook and name; ``*`` stands for all of a hook. And why that is not known."""
    reasons = {(hook, "*"): f"yes: {why}" for hook, why in _ALL_USED.items()}
    reasons |= {(offer.hook, offer.name): _about_sign_in(offer) for offer in installed.offers("latchpin_sign_ins")}
    try:
        settings = load(CoreSettings)
        pkce = settings.oauth_preferred_code_challenge_method
        reasons["latchpin_signer", settings.signer] = f"yes: SIGNER={settings.signer}"
        reasons["latchpin_cipher", settings.cipher] = f"yes: CIPHER={settings.cipher}"
        reasons["latchpin_pkce_methods", pkce] = f"yes: OAUTH_PREFERRED_CODE_CHALLENGE_METHOD={pkce}"
        selection = select_stores(installed, settings)
    except LatchpinError as exc:
        return reasons, exc.detail or exc.public
    if selection.state is not None:
        reasons["latchpin_state_store", selection.state.name] = f"yes: {selection.state_reason}"
    reasons["latchpin_record_store", selection.record.name] = f"yes: {selection.record_reason}"
    return reasons, ""


def _about_sign_in(offer: Offer) -> str:
    try:
        way = offer.value.describe(load(offer.value.settings))
    except LatchpinError as exc:
        return f"unknown: {exc.detail or exc.public}"
    except Exception as exc:  # noqa: BLE001  a plugin may fail in any way, and the others are shown
        return f"unknown: it failed with {type(exc).__name__}"
    return f"yes: the login page links to {way.path}" if way else f"no: not set up; set {offer.value.needs}"
