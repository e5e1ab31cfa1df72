"""The parts of the documentation about settings, causes, outcomes, server profiles and distributions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import latchpin_enterprise.causes
import latchpin_oidc_login.causes
from latchpin.errors.causes import CAUSES, CHAPTERS, Cause
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import settings_models
from latchpin_admin_cli.env_example import write_example
from latchpin_profiles.plugin import latchpin_server_profiles
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from tests.docs.checks import ROOT, read
from tests.servers.selection import CORE, plugins
from tests.token_refresh.test_outcomes import OUTCOMES

# The settings, from the models that read them.


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


# Errors, symptoms and their causes, from the catalogue in ``latchpin.errors.causes``.


SYMPTOMS = ROOT / "docs" / "troubleshoot"
"""One page a symptom; ``Cause.see`` is the name of its file."""


def errors() -> Iterator[str]:
    """Every cause, by chapter, under a heading of its own."""
    for chapter, causes in CHAPTERS.items():
        yield from (f"## {chapter}", "")
        for cause in causes:
            status = "stops the start" if cause.stops else str(cause.status)
            yield from (f"### {cause.slug}", "")
            yield f"- **{status}**, fault of {cause.fault}: {cause.public}"
            yield f"- {cause.meaning}{_further(cause)}"
            if cause.happened != "{what}":
                yield f"- The log: `{cause.happened}`"
            yield from (f"- Remedy: {cause.remedy}", "")


def _further(cause: Cause) -> str:
    case = f" A case of [{cause.general}](#{cause.general})." if cause.general else ""
    return case + (f" See [{_title(cause.see)}](troubleshoot/{cause.see}.md)." if cause.see else "")


def causes_of_symptom(symptom: str) -> Iterator[str]:
    """What may be behind a symptom: each cause with its title, meaning and remedy."""
    for cause in _behind(symptom):
        status = "the gateway does not start" if cause.stops else f"HTTP {cause.status}"
        yield f"**{cause.title}** ([`{cause.slug}`](../errors.md#{cause.slug}), {status})  "
        yield cause.meaning + "  "
        yield from (f"*Do this:* {cause.remedy}", "")


def symptoms() -> Iterator[str]:
    """A row for each symptom: what the page says, the causes, and where to read on."""
    yield from ("| the page says | cause | read |", "|---|---|---|")
    for see in dict.fromkeys(cause.see for cause in CAUSES.values() if cause.see):
        behind = _behind(see)
        titles = list(dict.fromkeys(cause.title for cause in behind))
        shown = titles if len(titles) <= 3 else [*titles[:2], f"and {len(titles) - 2} more"]
        slugs = [f"`{cause.slug}`" for cause in behind]
        slugs = slugs if len(slugs) <= 3 else [*slugs[:2], "..."]
        yield f"| {'<br>'.join(shown)} | {', '.join(slugs)} | [{_title(see)}](troubleshoot/{see}.md) |"


def _behind(symptom: str) -> list[Cause]:
    return [cause for cause in CAUSES.values() if cause.see == symptom]


def _title(symptom: str) -> str:
    return read(SYMPTOMS / f"{symptom}.md").headings[0][1]


def problem() -> Iterator[str]:
    """A problem document."""
    used = CAUSES["state-used"]
    document = {
        "type": "http://localhost:4444/problems/state-used",
        "title": used.title,
        "status": used.status,
        "detail": f"{used.public}: {used.tell(used_at='2026-03-01T10:00:00+00:00')}",
        "cause": used.slug,
        "remedy": used.remedy,
        "documentation": "http://localhost:4444/problems#state-used",
        "flow_id": "5f0c2b7e9d1a4c38b6e2f1d0a9c87b54",
    }
    yield from ("```json", *json.dumps(document, indent=2).splitlines(), "```")


def sign_in_causes() -> Iterator[str]:
    """Why a sign-in at an OpenID Provider failed."""
    yield from _causes_of(latchpin_oidc_login.causes)


def assertion_causes() -> Iterator[str]:
    """Why a signed assertion got nobody a token."""
    yield from _causes_of(latchpin_enterprise.causes)


def _causes_of(module: ModuleType) -> Iterator[str]:
    yield from ("| cause | status | what happened | what to do |", "|---|---|---|---|")
    for name in module.__all__:
        cause: Cause = getattr(module, name)
        yield f"| `{cause.slug}` | {cause.status} | {cause.meaning} | {cause.remedy} |"


# What each answer to a refresh leads to, from the table that ``tests/token_refresh`` proves.


_HEAD = "| the server's answer | a caller whose token is still valid gets | a caller whose token has expired gets | what is stored | another try |"  # noqa: E501


def outcomes() -> Iterator[str]:
    """A row for each outcome."""
    yield from (_HEAD, "|---|---|---|---|---|")
    yield from (f"| {' | '.join(outcome.row())} |" for outcome in OUTCOMES)


# The built-in server profiles, as the file of the core has them.


_NAMES = {"name", "label", "servers", "documentation", "rank"}


def profiles() -> Iterator[str]:
    """A row for each."""
    yield from ("| name | server | holds for | what differs from the standard |", "|---|---|---|---|")
    for profile in latchpin_server_profiles():
        servers = ", ".join(f"`{each}`" for each in profile.servers[:3])
        servers += f" and {len(profile.servers) - 3} more" if len(profile.servers) > 3 else ""
        said = {each.name: getattr(profile, each.name) for each in fields(profile) if each.name not in _NAMES}
        default = {each.name: each.default for each in fields(profile)}
        told = [f"`{name} = {_shown(value)}`" for name, value in said.items() if value and value != default[name]]
        yield f"| `{profile.name}` | {profile.label} | {servers} | {', '.join(told)} |"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return '"never"' if value >= timedelta(days=3650) else f"{value.total_seconds():.0f}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_shown(each)}' for key, each in value.items())} }}"
    return str(value)


# What can be installed, from what each distribution says of itself.


def distributions() -> Iterator[str]:
    """A row for each."""
    yield from ("| distribution | folder | what it is |", "|---|---|---|")
    for each in (CORE, *plugins()):
        yield f"| `{each.name}` | `{each.folder.relative_to(ROOT)}/` | {each.project['description']} |"
