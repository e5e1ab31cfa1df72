"""Every setting that something reads: the core's models and the installed plugins'."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from pydantic_settings import BaseSettings

from latchpin.plugins.elsewhere import missing
from latchpin.plugins.hookspecs import SETTINGS, WITH_SETTINGS
from latchpin.plugins.host import Offer, Plugins
from latchpin.settings import is_wished, load, mask, masked, near_misses, old_names, variables
from latchpin.settings.core import CoreSettings

__all__ = ["changed_settings", "doubtful_settings", "settings_models", "shown_settings"]


def settings_models(plugins: Plugins) -> dict[str, type[BaseSettings]]:
    """The core's settings model and every installed plugin's, by who reads it: the distribution, or a part of it."""
    models: dict[str, type[BaseSettings]] = {"latchpin": CoreSettings}
    read = [(offer, offer.value.settings) for hook in WITH_SETTINGS for offer in plugins.offers(hook)]
    read += [(offer, offer.value) for offer in plugins.offers(SETTINGS)]
    for offer, model in read:
        if model not in models.values():
            models[_reader(offer, model, models)] = model
    return models


def _reader(offer: Offer[Any], model: type[BaseSettings], taken: Container[str]) -> str:
    """A name that no other model has, so that none hides another."""
    distribution = offer.plugin.distribution
    names = [
        distribution,
        f"{distribution} ({offer.name})",
        f"{distribution} ({model.__module__}.{model.__qualname__})",
    ]
    return next(name for name in names if name not in taken)


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


def changed_settings(plugins: Plugins) -> Mapping[str, str]:
    """The variables that are set to something else than their default, each with that default, secrets masked.

    Raises:
        SettingsError: a value does not hold.
    """
    changed: dict[str, str] = {}
    for model in settings_models(plugins).values():
        held = load(model)
        for name in held.model_fields_set & model.model_fields.keys():
            field = model.model_fields[name]
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            if getattr(held, name) != default:
                changed[name.upper()] = mask(default)
    return changed


def doubtful_settings(plugins: Plugins) -> list[str]:
    """One sentence for each name to mend: one that nothing installed reads, one that looks misspelt, an old one."""
    models = settings_models(plugins).values()
    known = [name for model in models for name in variables(model)]
    misspelt = near_misses(known)
    old = {name: new for model in models for name, new in old_names(model).items()}
    wished = {name: each for each, brings in missing().items() for name in brings.settings if is_wished(name)}
    return [
        *(f"{name} is set, and {each}, which reads it, is not installed" for name, each in wished.items()),
        *(f".env sets {wrong}, which nothing reads; did you mean {right}?" for wrong, right in misspelt.items()),
        *(f"{name} is called {new} now; the old name is still read, but not for ever" for name, new in old.items()),
    ]
