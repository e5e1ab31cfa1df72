"""What a plugin must be like: the core that it was made for, the hooks that it marks, and what each hook returns."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from latchpin import __version__, contracts
from latchpin.model import ServerProfile
from latchpin.plugins import hookspecs

__all__ = ["HOOKS", "SERVING_HOOKS", "contract_of", "lacking", "misfit", "unmarked_hooks", "unmet", "unnamed"]

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("latchpin_"))
"""Every hook, in its order."""

SERVING_HOOKS = tuple(name for name in HOOKS if name != "latchpin_commands")
"""Those that a serving process looks at: it does not load what a command line needs."""

_CONTRACTS: Mapping[str, type] = {
    "latchpin_signer": contracts.Signer,
    "latchpin_cipher": contracts.Cipher,
    "latchpin_state_store": contracts.StateStore,
    "latchpin_record_store": contracts.RecordStore,
    "latchpin_client_registrar": contracts.ClientRegistrar,
    "latchpin_identity": contracts.Identity,
    "latchpin_identity_assertions": contracts.AssertionSource,
    "latchpin_event_listeners": contracts.EventListener,
    "latchpin_recorders": contracts.Recorder,
    "latchpin_observers": contracts.Observer,
    "latchpin_background_tasks": contracts.BackgroundTask,
}
_DESCRIPTORS: Mapping[str, type] = {
    "latchpin_server_profiles": ServerProfile,
    "latchpin_sign_ins": contracts.SignInOffer,
    "latchpin_navigation": contracts.NavigationEntry,
    "latchpin_checks": contracts.Check,
}
_SERVICES: Mapping[str, type] = {
    "latchpin_pkce_methods": contracts.PkceMethod,
    "latchpin_client_authentications": contracts.ClientAuthentication,
}


def contract_of(hook: str) -> type | None:
    """What the ``Backend`` of a hook opens; None where a hook returns something else."""
    return _CONTRACTS.get(hook)


def lacking(service: object, contract: type) -> str | None:
    """Say which members of ``contract``, a Protocol, ``service`` does not have; None if it has them all."""
    missing = [name for name in vars(contract) if not name.startswith("_") and not hasattr(service, name)]
    if not missing:
        return None
    return f"{_what(service)} without {' and '.join(missing)}, which {_a(contract.__name__)} has"


def misfit(hook: str, value: object) -> str | None:
    """Say what is wrong with one thing that ``hook`` returned, None if nothing is."""
    if hook in _CONTRACTS:
        return _misfit_backend(value, _CONTRACTS[hook])
    if hook in _DESCRIPTORS:
        kind = _DESCRIPTORS[hook]
        return None if isinstance(value, kind) else _not(value, f"a {_named(kind)}")
    if hook in _SERVICES:
        return _misfit_service(value, _SERVICES[hook])
    return _OTHERS[hook](value)


def _misfit_backend(value: object, contract: type) -> str | None:
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


def _misfit_service(value: object, contract: type) -> str | None:
    if isinstance(value, type):
        return f"the class {value.__name__}, and not one of its objects"
    return lacking(value, contract)


def _misfit_model(value: object) -> str | None:
    sound = isinstance(value, type) and issubclass(value, BaseSettings)
    return None if sound else _not(value, "a model of latchpin.Settings")


def _misfit_commands(value: object) -> str | None:
    import typer  # noqa: PLC0415  only a command line asks for commands

    return None if isinstance(value, typer.Typer) else _not(value, "a typer.Typer")


def _misfit_router(value: object) -> str | None:
    from fastapi import APIRouter  # noqa: PLC0415  a command may not need the web framework

    return None if isinstance(value, APIRouter) else _not(value, "a fastapi.APIRouter")


_OTHERS: Mapping[str, Callable[[object], str | None]] = {
    "latchpin_settings": _misfit_model,
    "latchpin_commands": _misfit_commands,
    "latchpin_routes": _misfit_router,
}


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


def _named(kind: type) -> str:
    return f"latchpin.{kind.__name__}" if kind is ServerProfile else f"latchpin.contracts.{kind.__name__}"


def unmarked_hooks(module: object) -> list[str]:
    """The functions of a plugin that are named as hooks are and not marked, so that nobody would call them."""
    found = ((name, inspect.getattr_static(module, name)) for name in dir(module) if name.startswith("latchpin_"))
    mark = f"{hookspecs.PROJECT}_impl"
    return [name for name, value in found if inspect.isroutine(value) and not hasattr(value, mark)]


def unnamed(name: str) -> str:
    """Say that ``name`` is no hook, and which one may be meant."""
    close = difflib.get_close_matches(name, HOOKS, n=1)
    return f"{name}, which is no hook of latchpin {__version__}" + (f"; did you mean {close[0]}?" if close else "")


def unmet(requirements: Iterable[str]) -> str | None:
    """Which of a distribution's requirements the installed core does not meet, None if it meets them all."""
    for text in requirements:
        if text.partition(";")[0].strip() == f"latchpin=={__version__}" or not text.lower().startswith("latchpin"):
            continue
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  seldom needed

        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue  # pip did not follow it either
        applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        met = wanted.specifier.contains(__version__, prereleases=True)
        if wanted.name.lower() == "latchpin" and applies and not met:
            return f"latchpin{wanted.specifier}"
    return None
