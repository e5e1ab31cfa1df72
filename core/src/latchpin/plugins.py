"""The one object that touches pluggy: load the plugins, list what they offer, select by name, explain."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from latchpin import hookspecs
from latchpin.contracts import Backend
from latchpin.errors import PluginError, SettingsError

__all__ = ["Offer", "Plugin", "Plugins"]

ENTRY_POINT_GROUP = hookspecs.PROJECT
_log = logging.getLogger("latchpin.plugins")

_STORES = "latchpin-sql-store (database), latchpin-redis-store (redis) or latchpin-memory-store (memory)"
_INSTALL_HINTS = {"latchpin_state_store": _STORES, "latchpin_record_store": _STORES}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of the group ``latchpin``. ``error`` is why it could not be imported, else None."""

    name: str
    distribution: str
    version: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that one plugin offers through one hook. ``value`` is what the hook returned."""

    hook: str
    name: str
    plugin: Plugin
    value: Any


class Plugins:
    """What is installed. Loading never fails; ``require_sound`` does, before anything is served."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._by_module: dict[int, Plugin] = {}
        self.tolerant = False
        self.installed: list[Plugin] = []
        found = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
        for point in sorted(found, key=lambda point: (_distribution(point)[0] != "latchpin", point.name)):
            self._load(point)

    def _load(self, point: EntryPoint) -> None:
        distribution, version = _distribution(point)
        try:
            module = point.load()
            self._manager.register(module, name=f"{distribution}:{point.name}")
        except Exception as exc:  # noqa: BLE001  a plugin may fail in any way; we name it and go on
            _log.debug("plugin %s failed to load", point.name, exc_info=exc)
            reason = f"{type(exc).__name__}: {exc}"
            self.installed.append(Plugin(point.name, distribution, version, error=reason))
            return
        plugin = Plugin(point.name, distribution, version)
        self._by_module[id(module)] = plugin
        self.installed.append(plugin)

    def require_sound(self) -> None:
        """Raise PluginError if a plugin failed to import or implements a hook that does not exist."""
        for plugin in self.installed:
            if plugin.error is not None:
                raise PluginError(
                    f"plugin '{plugin.name}' of {plugin.distribution} {plugin.version} failed to load: {plugin.error}",
                    remedy=f"Repair or uninstall {plugin.distribution}; 'latchpin plugins' shows them all.",
                )
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as exc:
            raise PluginError(str(exc), remedy="Update the plugin: the hooks are listed in docs/plugins.md.") from exc

    def offers(self, hook: str) -> list[Offer]:
        """Everything offered through ``hook``, the built-in offers first, then by entry-point name.

        Raises:
            PluginError: two plugins offer the same name; it names both distributions.
        """
        offers, errors = self.offers_and_errors(hook)
        if self.tolerant:
            return offers
        if errors:
            raise errors[0]
        _refuse_duplicates(offers)
        return offers

    def as_found(self) -> Plugins:
        """The same, passing over what fails or clashes: for whoever looks for what is wrong."""
        found = copy.copy(self)
        found.tolerant = True
        return found

    def offers_and_errors(self, hook: str) -> tuple[list[Offer], list[PluginError]]:
        """What is offered through ``hook``, and the plugins that failed to say; for whoever goes on without those."""
        offers: list[Offer] = []
        errors: list[PluginError] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            plugin = self._by_module[id(implementation.plugin)]
            try:
                values = _call(implementation.function, plugin)
            except PluginError as exc:
                errors.append(exc)
                continue
            offers += [Offer(hook, _name_of(value, plugin), plugin, value) for value in values]
        return sorted(offers, key=lambda offer: self.installed.index(offer.plugin)), errors

    def all_offers(self) -> list[Offer]:
        """Everything that is offered through any hook, in the order of the hooks."""
        hooks = [name for name in vars(hookspecs) if name.startswith("latchpin_")]
        return [offer for hook in hooks for offer in self.offers(hook)]

    def select(self, hook: str, name: str, *, variable: str) -> Backend[Any, Any]:
        """The offer called ``name``.

        Raises:
            SettingsError: nothing of that name is installed; it lists what is.
        """
        offers = {offer.name: offer.value for offer in self.offers(hook)}
        if name in offers:
            backend: Backend[Any, Any] = offers[name]
            return backend
        have = ", ".join(sorted(offers)) or "none"
        hint = _INSTALL_HINTS.get(hook, "")
        text = f"{variable} holds '{name}', and no installed plugin offers that; installed: {have}"
        remedy = f"Set {variable} to one of: {have}." if offers else ""
        if hint:
            remedy = f"{remedy} Or install {hint} with pip.".strip()
        raise SettingsError(text, public=text, remedy=remedy)

    def ranked(self, hook: str) -> list[Backend[Any, Any]]:
        """Backends that work side by side, lowest rank first."""
        return sorted((offer.value for offer in self.offers(hook)), key=lambda backend: (backend.rank, backend.name))


def _call(function: Callable[[], Any], plugin: Plugin) -> Sequence[Any]:
    try:
        value = function()
    except Exception as exc:
        raise PluginError(f"plugin '{plugin.name}' of {plugin.distribution} failed in a hook: {exc}") from exc
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def _name_of(value: Any, plugin: Plugin) -> str:  # noqa: ANN401  whatever a hook returned
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else plugin.name


def _refuse_duplicates(offers: list[Offer]) -> None:
    seen: dict[str, Offer] = {}
    for offer in offers:
        if not isinstance(getattr(offer.value, "name", None), str):
            continue  # routes and commands have no name that anybody selects
        if (other := seen.get(offer.name)) is not None:
            raise PluginError(
                f"two plugins offer '{offer.name}' for {offer.hook}: "
                f"{other.plugin.distribution} and {offer.plugin.distribution}",
                remedy="Uninstall one of them.",
            )
        seen[offer.name] = offer


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("(unknown)", "")
