"""The parts of the documentation about what programs meet: endpoints, documents, pages, hooks, modules and commands."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, get_args

import latchpin_testing
import typer
from latchpin.activity.logs import tear_down_logging
from latchpin.commands.command_line import build
from latchpin.contracts import Backend
from latchpin.model import ServerProfile
from latchpin.model.flow_steps import StepFacts
from latchpin.plugins.hookspecs import HOOKS, SERVER_PROFILES, BackendHook, Hook
from latchpin.plugins.host import Plugins
from latchpin.plugins.leaving import ATTRIBUTES, LEAVING
from latchpin.sdk import PUBLISHED
from latchpin.sdk.activity import FACTS
from latchpin.settings import load, variables
from latchpin.settings.core import CoreSettings
from latchpin.web.app import create_app
from latchpin_api_docs.description import describe_api

from tests.docs.reference import defaults, models
from tests.servers.selection import CORE, plugins

# The HTTP API, from what the gateway says at ``/openapi.json``, and its pages, from what their routes say.


Schema = Mapping[str, Any]
_EVERYWHERE = {"303", "400", "413", "414", "422", "431", "500", "503"}
"""Statuses that the page says once for all endpoints."""


@cache
def _application() -> Any:
    try:
        return create_app()
    finally:
        tear_down_logging()


@cache
def _described() -> Schema:
    return describe_api(_application(), load(CoreSettings))


def endpoints() -> Iterator[str]:
    """Every endpoint under its group's heading."""
    for tag in _described()["tags"]:
        yield from (f"## {tag['name'].capitalize()}", "", tag["description"], "")
        for path, methods in _described()["paths"].items():
            for method, endpoint in methods.items():
                if tag["name"] in endpoint["tags"]:
                    yield from _endpoint(f"{method.upper()} {path}", endpoint)


def _endpoint(name: str, endpoint: Schema) -> Iterator[str]:
    description = endpoint["description"].replace("``", "`").replace("*For ", "For ").replace(".*", ".")
    yield from (f"### {name}", "", f"{endpoint['summary']}. {' '.join(description.split())}", "")
    asked = [each for each in endpoint.get("parameters", ()) if each["in"] == "query"]
    if asked:
        yield f"- Query: {'; '.join(_member(each['name'], each['schema'], each.get('description')) for each in asked)}"
    for body in endpoint.get("requestBody", {}).get("content", {}).values():
        yield f"- Body: {_type(body['schema'])}"
    for status, answer in endpoint["responses"].items():
        if status < "300":
            kinds = [_type(each["schema"]) for each in answer.get("content", {}).values() if "schema" in each]
            yield f"- {status}: {' or '.join(dict.fromkeys(kinds)) or answer['description']}"
    failures = [status for status in endpoint["responses"] if status >= "300" and status not in _EVERYWHERE]
    if failures:
        yield f"- Else: {', '.join(failures)}"
    yield ""


def documents() -> Iterator[str]:
    """Every document that endpoints answer, with its members."""
    for name, schema in _described()["components"]["schemas"].items():
        yield from (f"### {name}", "", f"{schema['description']}  ")
        members = schema.get("properties", {})
        yield from ("; ".join(_member(key, each, each.get("description")) for key, each in members.items()) + ".", "")


def _member(name: str, schema: Schema, description: str | None) -> str:
    text = f": {description.replace('``', '`').rstrip('.')}" if description else ""
    return f"`{name}` ({_type(schema)}){text}"


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{str(schema['const']).lower()}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kinds = {"string": "text", "integer": "number", "boolean": "true or false", "object": "object", "null": "null"}
    kind = kinds.get(schema.get("type", ""), schema.get("type", "anything"))
    return "time" if schema.get("format") == "date-time" else kind


def pages() -> Iterator[str]:
    """A row for each route that is a page."""
    yield from ("| path | what it is |", "|---|---|")
    described = {f"{method.upper()} {path}" for path, each in _described()["paths"].items() for method in each}
    for name, text in sorted(routes(), key=lambda each: (each[0].partition(" ")[2], each[0])):
        if name not in described:
            yield f"| `{name}` | {text} |"


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of each endpoint, with the first line that its code says."""
    for route in _flat(_application().routes):
        path = re.sub(r":\w+\}", "}", getattr(route, "path"))  # noqa: B009  routes of several kinds
        text = (getattr(getattr(route, "endpoint", None), "__doc__", None) or "").partition("\n")[0]
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD":
                yield f"{method} {path}", text.replace("``", "`")


def _flat(found: Iterable[object]) -> Iterator[object]:
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from _flat(inner.routes)


# What a plugin author looks up: the hooks with their contracts, the published modules, the suites, the facts.


def hooks() -> Iterator[str]:
    """Each hook under its heading: what it is for, what it returns, and what that says and has to do."""
    yield from ("", *_contract(Backend))
    for hook in HOOKS:
        yield from (f"### {hook.name}", "", _plain(hook.about), "", _returned(hook), "")
        contract = hook.contract if isinstance(hook, BackendHook) else _kind(hook)
        if not isinstance(contract, str):
            yield from _contract(contract)


def _contract(contract: type) -> Iterator[str]:
    yield from (f"**{contract.__name__}.** {_said(contract)}", "")
    if members := [*_attributes(contract), *_methods(contract)]:
        yield from (*members, "")


def _returned(hook: Hook[Any]) -> str:
    found = _kind(hook)
    kind = found if isinstance(found, str) else found.__name__
    what = f"`Backend` of `{hook.contract.__name__}`" if isinstance(hook, BackendHook) else f"`{kind}`"
    chosen = f"`{hook.variable}` selects one by its name." if hook.variable else f"Of several: {hook.used}."
    none = " One may open as None." if isinstance(hook, BackendHook) and hook.may_be_none else ""
    return f"Returns one {what}, or a list. {chosen}{none}"


def _kind(hook: Hook[Any]) -> type | str:
    """What it returns; its name, where that is a library's or a model of settings."""
    return ServerProfile if hook is SERVER_PROFILES else hook.kind


def _attributes(contract: type) -> Iterator[str]:
    """Those that its docstring describes, with the default of each that may be left out."""
    _, _, rest = (inspect.getdoc(contract) or "").partition("\nAttributes:\n")
    section = re.split(r"\n(?=\S)", rest)[0]
    known = {each.name: each for each in fields(contract)} if is_dataclass(contract) else {}
    for name, text in re.findall(r"(?ms)^ {4}(\w+): (.*?)(?=^ {4}\w+: |\Z)", section):
        default = _default(known[name]) if name in known else ""
        plain = _plain(text)
        yield f"- `{name}`{default}: {plain[0].upper()}{plain[1:]}"


def _default(given: Field[Any]) -> str:
    """What a field is where it is left out; empty if it may not be."""
    value = given.default if given.default_factory is MISSING else given.default_factory()
    if value is MISSING:
        return ""
    return f' (default `"{value}"`)' if isinstance(value, str) else f" (default `{value!r}`)"


def _methods(contract: type) -> Iterator[str]:
    for name, member in vars(contract).items():
        if not name.startswith("_") and inspect.isfunction(member):
            given = [each for each in inspect.signature(member).parameters if each != "self"]
            yield f"- `{name}({', '.join(given)})`: {_first(member)}"


def _said(thing: Any) -> str:
    """The docstring as far as its attributes or arguments, in one paragraph."""
    text = re.split(r"\n(?:Attributes|Args|Raises|Returns|Type Args):", inspect.getdoc(thing) or "")[0]
    return _plain(text)


def _first(thing: Any) -> str:
    return _plain((inspect.getdoc(thing) or "").partition("\n\n")[0])


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def modules() -> Iterator[str]:
    """Each module that a plugin may import."""
    yield from ("| module | what it has |", "|---|---|")
    yield from (f"| `{name}` | {_first(importlib.import_module(name))} |" for name in PUBLISHED)


def leaving() -> Iterator[str]:
    """Each published name that goes, and what to use."""
    yield from ("| goes | said since | use |", "|---|---|---|")
    yield from (f"| `{each.name}` | {each.since} | `{each.instead}` |" for each in (*LEAVING, *ATTRIBUTES))


def suites() -> Iterator[str]:
    """Each shipped suite, and what a plugin's tests are built from."""
    yield from ("| name | what it is |", "|---|---|")
    for name in latchpin_testing.__all__:
        thing = getattr(latchpin_testing, name)
        if text := _first(thing) if callable(thing) or inspect.ismodule(thing) else "":
            yield f"| `{name}` | {text} |"


def facts(*modules: str) -> Iterator[str]:
    """Each fact that listeners and recorders are told: the gateway's, then those of each plugin's module."""
    yield from ("| fact | what happened | details |", "|---|---|---|")
    own = {each.name: each.kind for name in modules for each in importlib.import_module(name).FACTS}
    for name, kind in {**FACTS, **own}.items():
        yield f"| `{name}` | {_plain(kind.meaning)} | {kind.details} |"


def steps() -> Iterator[str]:
    """Each step that a flow may go, with its own details."""
    yield from ("| step | when | details |", "|---|---|---|")
    for kind in get_args(StepFacts):
        details = " ".join(each.name for each in fields(kind))
        yield f"| `{kind.step}` | {_first(kind)} | {details} |"


# The commands with their options, from the Typer applications.


def load_commands() -> dict[str, Any]:
    """Each command and group of core and plugins by its name, loaded."""
    root: Any = typer.main.get_command(build())
    return {name: root.get_command(None, name).load() for name in root.list_commands(None)}


def commands() -> Iterator[str]:
    """A row for each command."""
    yield from ("| command | what it does | options |", "|---|---|---|")
    leaves = (leaf for name, each in load_commands().items() for leaf in _leaves(each, f"latchpin {name}"))
    for path, command in leaves:
        text = " ".join((command.help or "").split())
        options = "<br>".join(_option(each) for each in command.params if each.opts[0].startswith("--"))
        yield f"| `{path}` | {text} | {options} |"


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name, child in (children or {}).items():
        yield from _leaves(child, f"{path} {name}")


def _option(parameter: Any) -> str:
    default = parameter.default
    shown = f" ({default})" if isinstance(default, int | str) and default not in ("", False, "{}") else ""
    return f"`{parameter.opts[0]}`{shown}: {parameter.help}"


# Names of all that the documentation has to name: settings, hooks, commands and endpoints.


DISTRIBUTIONS = {each.name for each in (CORE, *plugins()) if each.entry_points}


def known_settings() -> dict[str, str]:
    """Each variable of core and plugins, with its default as ``.env`` holds it."""
    missing = DISTRIBUTIONS - {plugin.distribution for plugin in Plugins().installed}
    assert not missing, f"this check needs every distribution; not installed: {missing}"
    return defaults()


def setting_aliases() -> set[str]:
    """Each further name that any settings model of ours reads."""
    return {name for model in models().values() for name in variables(model)} - known_settings().keys()


def secret_files() -> set[str]:
    """Each variable that names a file with a secret."""
    return {name for model in models().values() for name in variables(model) if name.endswith("_FILE")}


def hook_names() -> list[str]:
    """The names of the hooks, in their order."""
    return [hook.name for hook in HOOKS]


def suite_names() -> list[str]:
    """The names of the shipped suites."""
    return [name for name in latchpin_testing.__all__ if name.endswith("Contract")]


def known_commands() -> dict[str, set[str]]:
    """Each command, as people type it, with its options."""
    return {
        path: options for name, each in load_commands().items() for path, options in _options(each, f"latchpin {name}")
    }


def _options(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from _options(child, f"{path} {name}")
        return
    yield path, {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


def known_endpoints() -> set[str]:
    """Method and path of each endpoint."""
    return {name for name, _ in routes()}
