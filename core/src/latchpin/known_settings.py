"""Every setting that something reads: the core's models and the installed plugins'."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_settings import BaseSettings

from latchpin.configuration import CoreSettings
from latchpin.plugins import Plugins
from latchpin.settings import load, masked, near_misses, variables

__all__ = ["misspelt_settings", "settings_models", "shown_settings"]

_BACKEND_HOOKS = (
    "latchpin_signer",
    "latchpin_cipher",
    "latchpin_state_store",
    "latchpin_record_store",
    "latchpin_client_registrar",
    "latchpin_identity",
    "latchpin_sign_ins",
    "latchpin_identity_assertions",
    "latchpin_event_listeners",
    "latchpin_observers",
)


def settings_models(plugins: Plugins) -> dict[str, type[BaseSettings]]:
    """The core's settings model and every installed plugin's, by who reads it."""
    models: dict[str, type[BaseSettings]] = {"latchpin": CoreSettings}
    for hook in _BACKEND_HOOKS:
        for offer in plugins.offers(hook):
            model = offer.value.settings
            if model not in models.values():
                taken = offer.plugin.distribution in models
                models[f"{offer.plugin.distribution} ({offer.name})" if taken else offer.plugin.distribution] = model
    for offer in plugins.offers("latchpin_settings"):
        if offer.value not in models.values():
            models.setdefault(offer.plugin.distribution, offer.value)
    return models


def shown_settings(plugins: Plugins) -> dict[str, Mapping[str, str]]:
    """What each of these models holds as it is read now, by who reads it and by variable, with secrets masked.

    Raises:
        SettingsError: a value does not hold.
    """
    seen: set[str] = set()
    shown: dict[str, Mapping[str, str]] = {}
    for reader, model in settings_models(plugins).items():
        values = {name: value for name, value in masked(load(model)).items() if name not in seen}
        seen |= values.keys()
        if values:
            shown[reader] = values
    return shown


def misspelt_settings(plugins: Plugins) -> list[str]:
    """One sentence for each key in ``.env`` that nothing reads and that looks like a misspelt known one."""
    known = [name for model in settings_models(plugins).values() for name in variables(model)]
    return [
        f".env sets {wrong}, which nothing reads; did you mean {right}?" for wrong, right in near_misses(known).items()
    ]
