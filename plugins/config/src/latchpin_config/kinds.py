"""What is installed: the kinds of entries that files may hold, and the places of their secrets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from latchpin.contracts import ConfigurationKind
from latchpin.sdk.assembly import Plugins, settings_models
from latchpin.sdk.gateway import Application
from latchpin.sdk.hooks import CONFIGURATION_KINDS, SECRET_SCHEMES
from latchpin.sdk.settings import load, variables
from pydantic import SecretStr

from latchpin_config.secret_sources import SecretSources
from latchpin_config.settings import ConfigSettings

__all__ = ["installed_kinds", "secret_sources"]


@cache
def _plugins() -> Plugins:
    return Plugins()


def installed_kinds() -> list[ConfigurationKind]:
    """All kinds, in the order in which they are written.

    Raises:
        PluginError: a plugin offers what is none, or two offer one name.
    """
    return sorted(_plugins().values(CONFIGURATION_KINDS), key=lambda kind: (kind.rank, kind.name))


def secret_sources(application: Application) -> SecretSources:
    """Where secrets of files are, with what settings allow."""
    models = settings_models(_plugins()).values()
    return SecretSources(
        application,
        {scheme.name: scheme for scheme in _plugins().values(SECRET_SCHEMES)},
        allowed=load(ConfigSettings).config_references,
        own=frozenset(f"{name}{end}".upper() for model in models for name in variables(model) for end in ("", "_FILE")),
        own_secrets=frozenset(secret for model in models for secret in _secrets(load(model))),
    )


def _secrets(settings: Any) -> Iterator[str]:  # noqa: ANN401  any model
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, SecretStr):
                yield each.get_secret_value()
