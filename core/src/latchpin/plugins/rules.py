"""What a plugin must be like: the hooks that it marks, and what each hook returns."""

from __future__ import annotations

import difflib
import inspect
import re
from pkgutil import resolve_name
from typing import Any

from latchpin import __version__, contracts
from latchpin.plugins.hookspecs import HOOKS, PROJECT, SETTINGS, BackendHook, Hook
from latchpin.plugins.marked import functions_of

__all__ = ["lacking", "misfit", "unmarked_hooks", "unnamed"]


_PLACE = re.compile(r"[\w.]+:\w+")


def lacking(service: object, contract: type) -> str | None:
    """Say which members of ``contract``, a Protocol, ``service`` does not have; None if it has them all."""
    missing = [name for name in vars(contract) if not name.startswith("_") and not hasattr(service, name)]
    if not missing:
        return None
    return f"{_what(service)} without {' and '.join(missing)}, which {_a(contract.__name__)} has"


def misfit(hook: Hook[Any], value: object) -> str | None:
    """Say what is wrong with one thing that ``hook`` returned, None if nothing is."""
    if isinstance(hook, BackendHook):
        return _misfit_backend(value, hook.contract)
    if hook is SETTINGS:
        from pydantic_settings import BaseSettings  # noqa: PLC0415  who asks for other offers does without

        sound = isinstance(value, type) and issubclass(value, BaseSettings)
        return None if sound else _not(value, f"a model of {hook.kind}")
    if hook.by_place and isinstance(value, str):
        return None if _PLACE.fullmatch(value) else f"{value!r}, and a place is like package.module:attribute"
    kind = resolve_name(hook.kind) if isinstance(hook.kind, str) else hook.kind
    if getattr(kind, "_is_protocol", False):
        return (
            f"the class {value.__name__}, and not one of its objects"
            if isinstance(value, type)
            else lacking(value, kind)
        )
    if not isinstance(value, kind):
        return _not(value, f"a {_named(hook)}")
    return _misfit_command(value) if isinstance(value, contracts.Command) else None


def _misfit_command(command: contracts.Command) -> str | None:
    if not isinstance(command.name, str) or re.fullmatch(r"[a-z][a-z0-9-]*", command.name) is None:
        return f"a Command whose name is {command.name!r}, and it must be a word in lower case"
    if not isinstance(command.about, str) or not command.about or len(command.about.splitlines()) != 1:
        return f"the Command '{command.name}' whose about is not one line"
    if not isinstance(command.app, str) or _PLACE.fullmatch(command.app) is None:
        return f"the Command '{command.name}' whose app is {command.app!r}, and not as package.module:attribute"
    return None


def _misfit_backend(value: object, contract: type) -> str | None:
    from pydantic import BaseModel  # noqa: PLC0415  as above

    if not isinstance(value, contracts.Backend):
        return _not(value, f"a latchpin.Backend of {_a(contract.__name__)}")
    backend: contracts.Backend[Any, Any] = value
    if not isinstance(backend.name, str) or not backend.name or backend.name != backend.name.lower():
        return f"a Backend whose name is {backend.name!r}, and it must be a word in lower case"
    if not isinstance(backend.label, str) or not isinstance(backend.rank, int):
        return f"the Backend '{backend.name}' whose label is no text, or whose rank is no whole number"
    if not (isinstance(backend.settings, type) and issubclass(backend.settings, BaseModel)):
        return f"the Backend '{backend.name}' whose settings are not a model of latchpin.Settings"
    if not callable(backend.open):
        return f"the Backend '{backend.name}' whose open cannot be called"
    return None


def _not(value: object, wanted: str) -> str:
    if inspect.iscoroutine(value):
        value.close()
        return f"a coroutine, and a hook is a plain function that returns {wanted}"
    return f"{_what(value)}, and not {wanted}"


def _what(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return _a(type(value).__name__)


def _a(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _named(hook: Hook[Any]) -> str:
    """What it returns, as a plugin's author writes it."""
    return hook.kind if isinstance(hook.kind, str) else f"latchpin.contracts.{hook.kind.__name__}"


def unmarked_hooks(module: object) -> list[str]:
    """The functions of a plugin that are named as hooks are and not marked, so that nobody would call them."""
    mark = f"{PROJECT}_impl"
    return [name for name, value in functions_of(module) if name.startswith("latchpin_") and not hasattr(value, mark)]


def unnamed(name: str) -> str:
    """Say that ``name`` is no hook, and which one may be meant."""
    close = difflib.get_close_matches(name, [hook.name for hook in HOOKS], n=1)
    return f"{name}, which is no hook of latchpin {__version__}" + (f"; did you mean {close[0]}?" if close else "")
