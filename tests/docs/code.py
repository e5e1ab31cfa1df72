"""What the code has: settings, hooks, errors, commands and endpoints, as the documentation has to name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import latchpin_testing
import typer
from latchpin import Backend
from latchpin.activity.logs import tear_down_logging
from latchpin.commands.main import build
from latchpin.plugins.hookspecs import HOOKS
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import settings_models
from latchpin.settings import variables
from latchpin.settings.core import CoreSettings
from latchpin.settings.env_example import write_example
from latchpin.web.app import create_app
from pydantic_settings import BaseSettings

from tests.servers.distributions import CORE, plugins

__all__ = ["commands", "endpoints", "hooks", "routes_of", "setting_aliases", "settings", "suites"]

DISTRIBUTIONS = {each.name for each in (CORE, *plugins()) if each.entry_points}


def settings() -> dict[str, str]:
    """Each variable of core and plugins, with its default as ``.env`` holds it."""
    installed = Plugins()
    missing = DISTRIBUTIONS - {plugin.distribution for plugin in installed.installed}
    assert not missing, f"this check needs every distribution; not installed: {missing}"
    models = {name: model for name, model in settings_models(installed).items() if name.split()[0] in DISTRIBUTIONS}
    example = write_example(models)
    return {name: value.strip("'") for name, value in re.findall(r"(?m)^([A-Z_0-9]+)=(.*)$", example)}


def setting_aliases() -> set[str]:
    """Each further name that any settings model of ours reads, but for earlier ones."""
    offers = [offer for offer in Plugins().all_offers() if offer.plugin.distribution in DISTRIBUTIONS]
    models = {CoreSettings, *(offer.value.settings for offer in offers if isinstance(offer.value, Backend))}
    earlier = {str(extra["renamed_from"]) for model in models for extra in _extras(model) if "renamed_from" in extra}
    return {name for model in models for name in variables(model)} - settings().keys() - earlier


def _extras(model: type[BaseSettings]) -> list[dict[str, Any]]:
    """What the fields of a model say of themselves beyond pydantic."""
    return [
        field.json_schema_extra for field in model.model_fields.values() if isinstance(field.json_schema_extra, dict)
    ]


def hooks() -> list[str]:
    """The names of the hooks, in their order."""
    return [hook.name for hook in HOOKS]


def suites() -> list[str]:
    """The names of the shipped suites."""
    return [name for name in latchpin_testing.__all__ if name.endswith("Contract")]


def commands() -> dict[str, set[str]]:
    """Each command, as people type it, with its options."""
    return dict(_commands(typer.main.get_command(build()), "latchpin"))


def _commands(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from _commands(child, f"{path} {name}")
        return
    yield path, {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


def endpoints() -> set[str]:
    """Method and path of each endpoint."""
    try:
        app = create_app()
    finally:
        tear_down_logging()
    return set(routes_of(app.routes))


def routes_of(routes: Iterable[object]) -> Iterator[str]:
    for route in routes:
        if (inner := getattr(route, "original_router", None)) is not None:
            yield from routes_of(inner.routes)
            continue
        path = re.sub(r":\w+\}", "}", getattr(route, "path"))  # noqa: B009  routes of several kinds
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD":
                yield f"{method} {path}"
