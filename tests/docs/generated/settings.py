"""The settings, from the models that read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args, get_origin

from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import settings_models
from latchpin_admin_cli.env_example import write_example
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

__all__ = ["OURS", "defaults", "earlier", "earlier_names", "models", "settings"]

OURS = re.compile(r"latchpin\b")
"""The distributions of this repository; an example's are somebody else's."""


def models() -> dict[str, type[BaseSettings]]:
    """Our settings models by who reads them."""
    return {name: model for name, model in settings_models(Plugins()).items() if OURS.match(name)}


def defaults() -> dict[str, str]:
    """Each variable with its default, as ``.env`` has it."""
    example = write_example(models())
    return {name: value.strip("'") for name, value in re.findall(r"(?m)^([A-Z_0-9]+)=(.*)$", example)}


def settings(*patterns: str) -> Iterator[str]:
    """A row for each variable that one of the patterns names, such as ``OAUTH_*``."""
    yield from ("| variable | default | allowed | what it is for |", "|---|---|---|---|")
    known = defaults()
    chosen = [name for pattern in patterns for name in known if fnmatchcase(name, pattern)]
    found: dict[str, FieldInfo] = {}
    for model in models().values():
        found = dict(_fields(model)) | found  # the first that reads a variable says what it is for
    for name in dict.fromkeys(chosen):
        default = f"`{known[name]}`" if known[name] else "empty"
        yield f"| `{name}` | {default} | {allowed(found[name])} | {found[name].description} |"


def _fields(model: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        choices = getattr(field.validation_alias, "choices", [name])
        yield str(choices[0]).upper(), field


def allowed(field: FieldInfo) -> str:
    """What a value may be, in words."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    kinds = [each for each in get_args(field.annotation) if each is not type(None)]
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in kinds)
    if get_origin(kind) is tuple:
        return "a list"
    kind = kinds[0] if kinds else kind
    if kind is bool:
        return "`true`, `false`"
    return _range(field) if kind is int else "text"


def _range(field: FieldInfo) -> str:
    bounds = {
        name: getattr(each, name) for each in field.metadata for name in ("gt", "ge", "le") if hasattr(each, name)
    }
    least = bounds["gt"] + 1 if "gt" in bounds else bounds.get("ge", 0)
    return f"{least} to {bounds['le']}" if "le" in bounds else f"{least} or more"


def earlier_names() -> Iterator[str]:
    """A row for each setting that is read by a name of before."""
    yield from ("| earlier name | setting |", "|---|---|")
    yield from (f"| `{before}` | `{name}` |" for before, name in sorted(earlier().items()))


def earlier() -> dict[str, str]:
    """Each name of before with the name of today."""
    fields = [each for model in models().values() for each in _fields(model)]
    extras = [(name, field.json_schema_extra) for name, field in fields]
    return {
        str(extra["renamed_from"]): name
        for name, extra in extras
        if isinstance(extra, dict) and "renamed_from" in extra
    }
