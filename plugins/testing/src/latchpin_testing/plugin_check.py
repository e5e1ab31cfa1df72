"""One call that looks at a plugin as the gateway does, before any service of it is opened."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

from latchpin.commands.command_line import load
from latchpin.contracts import Backend, Command
from latchpin.plugins.host import Offer
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.hooks import HOOKS, SETTINGS
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from latchpin_testing.rules import found, holds, same

__all__ = ["check_plugin"]

_SECRET_WORDS = ("secret", "password", "passwd", "api_key", "private_key", "access_token")


def check_plugin(module: ModuleType) -> None:
    """Prove that ``module`` is a sound plugin: what its entry point names, with hooks that return what they should.

    It offers something; each hook gives the same each time; names are lower case; each setting has a description, and
    is a ``SecretStr`` where its name says that it is a secret; each command can be loaded, and its help begins with the
    one line that the list of commands has. What it uses that goes with the next hook API is a DeprecationWarning.

    Raises:
        pytest.fail.Exception: it names the rule that is broken.
    """
    __tracebackhide__ = True
    point = EntryPoint(module.__name__, module.__name__, "latchpin")
    first, again = Plugins([point]), Plugins([point])
    faults = [fault.detail for fault in first.faults()]
    holds(not faults, "a plugin is sound", "; ".join(faults))
    for use in first.leaving():
        warnings.warn(use, DeprecationWarning, stacklevel=2)
    offers = first.all_offers()
    holds(offers, "a plugin offers something through a hook", f"none of {len(HOOKS)} hooks is marked in it")
    same(
        [_key(offer) for offer in again.all_offers()], [_key(offer) for offer in offers], "a hook is called at any time"
    )
    for offer in offers:
        _check_names(offer)
        if isinstance(offer.value, Command):
            _check_command(offer.value)
    for model in dict.fromkeys(model for offer in offers for model in _models(offer)):
        _check_settings(model)


def _key(offer: Offer[Any]) -> tuple[str, str]:
    return offer.hook.name, offer.name


def _check_names(offer: Offer[Any]) -> None:
    __tracebackhide__ = True
    if isinstance(offer.value, Backend):
        fits = offer.name == offer.name.lower() and offer.name.split() == [offer.name]
        holds(fits, "a deployer writes an offer's name in lower case, without blanks", found(offer.name))
        holds(offer.value.label.strip(), "an offer has a label for people", offer.name)


def _check_command(command: Command) -> None:
    __tracebackhide__ = True
    try:
        loaded = load(command)
    except Exception as exc:
        raise AssertionError(f"contract broken: '{command.name}' can be loaded; it raised {found(exc)}") from exc
    first, _, _ = (loaded.help or "").partition("\n\n")
    same(
        " ".join(first.split()),
        command.about,
        f"the help of '{command.name}' begins as the list has it",
    )


def _models(offer: Offer[Any]) -> Sequence[type[BaseSettings]]:
    model = offer.value if offer.hook is SETTINGS else getattr(offer.value, "settings", None)
    return [model] if isinstance(model, type) and issubclass(model, BaseSettings) else []


def _check_settings(model: type[BaseSettings]) -> None:
    __tracebackhide__ = True
    for name, field in model.model_fields.items():
        place = f"{model.__name__}.{name}"
        holds(field.description, "a setting has a description, which 'latchpin config example' shows", place)
        secret = any(word in name for word in _SECRET_WORDS) and field.annotation not in {bool, int, float}
        sealed = SecretStr.__name__ in str(field.annotation)
        holds(not secret or sealed, "a setting that holds a secret is a SecretStr, so that it is not shown", place)
