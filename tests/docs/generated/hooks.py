"""What a plugin author looks up: the hooks with their contracts, the published modules, the suites, the facts."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_args

import latchpin_testing
from latchpin.model.flow_steps import StepFacts
from latchpin.plugins.hookspecs import HOOKS, BackendHook, Hook
from latchpin.sdk import PUBLISHED
from latchpin.sdk.activity import FACTS

__all__ = ["facts", "hooks", "modules", "steps", "suites"]


def hooks() -> Iterator[str]:
    """Each hook under its heading: what it is for, what it returns, and what that has to do."""
    for hook in HOOKS:
        yield from (f"### {hook.name}", "", _plain(hook.about), "", _returned(hook), "")
        contract = hook.contract if isinstance(hook, BackendHook) else hook.kind
        if not isinstance(contract, str):
            yield from (f"**{contract.__name__}.** {_said(contract)}", "")
            if methods := list(_methods(contract)):
                yield from (*methods, "")


def _returned(hook: Hook[Any]) -> str:
    kind = hook.kind if isinstance(hook.kind, str) else hook.kind.__name__
    what = f"`Backend` of `{hook.contract.__name__}`" if isinstance(hook, BackendHook) else f"`{kind}`"
    chosen = f"`{hook.variable}` selects one by its name." if hook.variable else f"Of several: {hook.used}."
    none = " One may open as None." if isinstance(hook, BackendHook) and hook.may_be_none else ""
    return f"Returns one {what}, or a list. {chosen}{none}"


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
