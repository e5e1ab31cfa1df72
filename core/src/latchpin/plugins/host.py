"""The one object that touches pluggy: load the plugins, list what they offer, select by name, explain."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, entry_points
from inspect import isfunction
from pkgutil import resolve_name
from typing import Any, Generic, TypeVar

from latchpin.contracts import Backend
from latchpin.errors import PluginError, SettingsError
from latchpin.plugins.fitness import Wrong, broken, other_api, unmet, with_arguments
from latchpin.plugins.hookspecs import HOOKS, KEY_WRAPPER, PROJECT, RECORD_STORE, SPECS, STATE_STORE, BackendHook, Hook
from latchpin.plugins.leaving import LEAVING, Leaving, find_uses
from latchpin.plugins.marked import HookFinder
from latchpin.plugins.rules import misfit, unmarked_hooks, unnamed

__all__ = ["Offer", "Plugin", "Plugins"]

OfferT = TypeVar("OfferT")
ServiceT = TypeVar("ServiceT")

_log = logging.getLogger("latchpin.plugins")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of the group ``latchpin``. ``error`` is why it could not be loaded, else None."""

    name: str
    distribution: str
    version: str
    error: str | None = None

    def __str__(self) -> str:
        """Names it in messages, with the distribution that a deployer can update or uninstall."""
        return f"plugin '{self.name}' of {self.distribution} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class Offer(Generic[OfferT]):
    """One thing that one plugin offers through one hook. ``value`` is what the hook returned."""

    hook: Hook[OfferT]
    name: str
    plugin: Plugin
    value: OfferT


class Plugins:
    """What is installed. Loading never fails; ``require_sound`` does, before anything is served.

    What a hook returned is kept, so each hook of a plugin is called once.
    """

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self._manager = HookFinder(PROJECT)
        self._manager.add_hookspecs(SPECS)
        self._by_module: dict[int, Plugin] = {}
        self._unloadable: list[PluginError] = []
        self._packages: dict[Plugin, str] = {}
        self._offered: dict[str, tuple[list[Offer[Any]], list[PluginError]]] = {}
        self._loaded: dict[str, tuple[list[Offer[Any]], list[PluginError]]] = {}
        self.tolerant = False
        self.installed: list[Plugin] = []
        found = list(entry_points(group=PROJECT) if points is None else points)
        origins = {key: _origin(dist) for key, dist in {id(point.dist): point.dist for point in found}.items()}
        ordered = sorted(found, key=lambda point: (origins[id(point.dist)].name != PROJECT, point.name))
        for point in ordered:
            self._load(point, origins[id(point.dist)])

    def _load(self, point: EntryPoint, origin: _Origin) -> None:
        plugin = Plugin(point.name, origin.name, origin.version)
        wrong = unmet(origin.requires, origin.name)
        try:
            if wrong is None:
                wrong = self._register(plugin, point.load())
        except (Exception, SystemExit) as exc:  # noqa: BLE001  a plugin may fail in any way; we name it and go on
            _log.debug("plugin %s failed to load", point.name, exc_info=exc)
            wrong = broken(exc, origin.name)
        if wrong is not None:
            reason, remedy = wrong
            plugin = replace(plugin, error=reason)
            self._unloadable.append(PluginError(f"{plugin} failed to load: {reason}", remedy=remedy))
        self.installed.append(plugin)
        self._packages[plugin] = point.module.partition(".")[0]

    def _register(self, plugin: Plugin, module: object) -> Wrong | None:
        wrong = other_api(module, plugin.distribution) or with_arguments(module)
        if wrong is None and (other := self._by_module.get(id(module))) is not None:
            wrong = f"its module is that of {other}", "Name the module once in [project.entry-points.latchpin]."
        if wrong is None:
            self._manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
            self._by_module[id(module)] = plugin
        return wrong

    def faults(self, hooks: Iterable[Hook[Any]] = HOOKS, *, load: bool = True) -> list[PluginError]:
        """Everything that is wrong with what is installed, each naming its plugin, distribution and version.

        Args:
            hooks: what is offered through these is looked at.
            load: what plugins name by its place, too.
        """
        found = [*self._unloadable, *self._misnamed]
        for hook in hooks:
            offers, errors = self.offers_and_errors(hook, load=load)
            found += [*errors, *_duplicates(offers)]
        return found

    def require_sound(self, hooks: Iterable[Hook[Any]] = ()) -> None:
        """Raise PluginError if a plugin cannot be loaded, misnames a hook, or offers through ``hooks`` what is none."""
        faults = self.faults(hooks)
        if len(faults) > 1:
            raise PluginError("; ".join(fault.detail for fault in faults), remedy="Mend each: latchpin plugins.")
        if faults:
            raise faults[0]

    def leaving(self, names: Sequence[Leaving] | None = None) -> list[str]:
        """A sentence for each published name or hook that goes with the next hook API and that a plugin uses.

        This project's own plugins go with what they use, and a start need not read all their sources for that.
        """
        from latchpin.plugins.elsewhere import ELSEWHERE  # noqa: PLC0415  the help does without it

        going = LEAVING if names is None else names
        others = [plugin for plugin in self.installed if plugin.distribution not in {PROJECT, *ELSEWHERE}]
        found = [(plugin, use) for plugin in others for use in find_uses(self._packages[plugin], going)]
        return [f"{plugin} uses {use}" for plugin, use in found]

    @cached_property
    def _misnamed(self) -> list[PluginError]:
        """Hooks that do not exist, and functions named as hooks that are not marked."""
        faults: list[PluginError] = []
        for module in self._manager.get_plugins():
            plugin = self._by_module[id(module)]
            for caller in self._manager.get_hookcallers(module) or ():
                optional = all(each.optionalhook for each in caller.get_hookimpls() if each.plugin is module)
                if not caller.has_spec() and not optional:
                    text = f"{plugin} implements {unnamed(caller.name)}"
                    remedy = f"Update {plugin.distribution} or latchpin; the hooks are listed in docs/hooks.md."
                    faults.append(PluginError(text, remedy=remedy))
            for name in unmarked_hooks(module):
                text = f"{plugin} defines {name} without @latchpin.hookimpl, so nobody would call it"
                remedy = "Mark it with @latchpin.hookimpl, or give it a name that does not begin with latchpin_."
                faults.append(PluginError(text, remedy=remedy))
        return sorted(faults, key=lambda fault: fault.detail)

    def offers(self, hook: Hook[OfferT], *, load: bool = True) -> list[Offer[OfferT]]:
        """Everything offered through ``hook``, the built-in offers first, then by entry-point name.

        Args:
            hook: which.
            load: what plugins name by its place, too; else it is given as that text.

        Raises:
            PluginError: a plugin fails in it or returns what is no offer; or two offer the same name.
        """
        offers, errors = self.offers_and_errors(hook, load=load)
        if self.tolerant:
            return offers
        for error in (*errors, *_duplicates(offers)):
            raise error
        return offers

    def diagnostic(self) -> Plugins:
        """The same, passing over what fails or clashes: for whoever looks for what is wrong."""
        found = copy.copy(self)
        found.tolerant = True
        return found

    def without(self, hooks: Iterable[Hook[Any]]) -> Plugins:
        """The same, as if nothing were offered through ``hooks``: for a command that does not need what is."""
        found = copy.copy(self)
        found._offered = {**self._offered, **{hook.name: ([], []) for hook in hooks}}  # noqa: SLF001  its own kind
        found._loaded = {}  # noqa: SLF001  as above
        return found

    def offers_and_errors(
        self, hook: Hook[OfferT], *, load: bool = True
    ) -> tuple[list[Offer[OfferT]], list[PluginError]]:
        """What is offered through ``hook``, and what plugins failed to offer; for whoever goes on without those."""
        offered, failed = self._named(hook)
        if load and hook.by_place:
            if hook.name not in self._loaded:
                found = [each for offer in offered for each in _loaded(offer)]
                errors = [each for each in found if isinstance(each, PluginError)]
                self._loaded[hook.name] = [each for each in found if isinstance(each, Offer)], [*failed, *errors]
            offered, failed = self._loaded[hook.name]
        return list(offered), list(failed)

    def _named(self, hook: Hook[Any]) -> tuple[list[Offer[Any]], list[PluginError]]:
        """What the plugins' functions returned, places not looked at."""
        if hook.name not in self._offered:
            offers: list[Offer[Any]] = []
            errors: list[PluginError] = []
            for implementation in getattr(self._manager.hook, hook.name).get_hookimpls():
                found = _call(hook, implementation.function, self._by_module[id(implementation.plugin)])
                offers += [each for each in found if isinstance(each, Offer)]
                errors += [each for each in found if isinstance(each, PluginError)]
            self._offered[hook.name] = sorted(offers, key=lambda offer: self.installed.index(offer.plugin)), errors
        return self._offered[hook.name]

    def all_offers(self) -> list[Offer[Any]]:
        """Everything that is offered through any hook, in the order of the hooks; what is named is not loaded."""
        return [offer for hook in HOOKS for offer in self.offers(hook, load=False)]

    def who_offers(self, hook: Hook[Any], name: str) -> Plugin | None:
        """The plugin that offers ``name`` through ``hook``; None if nobody does."""
        offers, _ = self.offers_and_errors(hook)
        return next((offer.plugin for offer in offers if offer.name == name), None)

    def values(self, hook: Hook[OfferT]) -> list[OfferT]:
        """What is offered through ``hook``, without who offers it; for the rest as ``offers``."""
        return [offer.value for offer in self.offers(hook)]

    def select(self, hook: Hook[OfferT], name: str) -> OfferT:
        """The offer called ``name``, which the hook's setting holds.

        Raises:
            SettingsError: nothing of that name is installed; it lists what is.
        """
        offers = {offer.name: offer.value for offer in self.offers(hook)}
        if name in offers:
            return offers[name]
        from latchpin.plugins import elsewhere  # noqa: PLC0415  seldom needed

        have = ", ".join(sorted(offers)) or "none"
        text = f"{hook.variable} holds '{name}', and no installed plugin offers that; installed: {have}"
        remedy = f"Set {hook.variable} to one of: {have}." if offers else ""
        if hook in {STATE_STORE, RECORD_STORE}:
            remedy = f"{remedy} Or install {elsewhere.stores()} with pip.".strip()
        if hook is KEY_WRAPPER:
            remedy = f"{remedy} Or install {elsewhere.key_services()} with pip, or set it to none.".strip()
        raise SettingsError(text, public=text, remedy=remedy)

    def ranked(self, hook: BackendHook[ServiceT]) -> list[Backend[Any, ServiceT]]:
        """Backends that work side by side, lowest rank first."""
        return sorted(self.values(hook), key=lambda backend: (backend.rank, backend.name))


def _call(hook: Hook[Any], function: Callable[[], Any], plugin: Plugin) -> Sequence[Offer[Any] | PluginError]:
    """What one plugin offers through one hook; an error in the place of what is no offer."""
    try:
        value = function()
    except SettingsError as exc:  # the deployer's to mend, not the plugin's author's
        error = PluginError(f"{exc}; {plugin} reads it", remedy=exc.remedy)
        error.__cause__ = exc
        return [error]
    except (Exception, SystemExit) as exc:  # noqa: BLE001  a plugin may fail in any way; we name it and go on
        error = PluginError(f"{plugin} failed in {hook.name}: {type(exc).__name__}: {exc}", remedy=_repair(plugin))
        error.__cause__ = exc
        return [error]
    if value is None:
        return []
    return [_offer(hook, each, plugin) for each in (value if isinstance(value, list | tuple) else [value])]


def _loaded(offer: Offer[Any]) -> Sequence[Offer[Any] | PluginError]:
    """What is where the offer says; itself where it says no place."""
    place = offer.value
    if not isinstance(place, str):
        return [offer]

    def load() -> Any:  # noqa: ANN401  whatever is there
        found = resolve_name(place)
        return found() if isfunction(found) else found

    found = _call(offer.hook, load, offer.plugin)
    if any(isinstance(each, Offer) and isinstance(each.value, str) for each in found):
        text = f"{offer.plugin} returned from {offer.hook.name} {place!r}, where another place is named"
        return [PluginError(text, remedy=_repair(offer.plugin))]
    return found


def _offer(hook: Hook[Any], value: Any, plugin: Plugin) -> Offer[Any] | PluginError:  # noqa: ANN401  whatever a hook returned
    wrong = misfit(hook, value)
    if wrong is not None:
        return PluginError(f"{plugin} returned from {hook.name} {wrong}", remedy=_repair(plugin))
    return Offer(hook, _name_of(value, plugin), plugin, value)


def _repair(plugin: Plugin) -> str:
    return f"Repair, update or uninstall {plugin.distribution}; what each hook returns is in docs/hooks.md."


def _name_of(value: Any, plugin: Plugin) -> str:  # noqa: ANN401  whatever a hook returned
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else plugin.name


def _duplicates(offers: Sequence[Offer[Any]]) -> list[PluginError]:
    seen: dict[str, Offer[Any]] = {}
    faults: list[PluginError] = []
    for offer in offers:
        if not isinstance(getattr(offer.value, "name", None), str):
            continue  # routes and commands have no name that anybody selects
        if (other := seen.get(offer.name)) is not None:
            text = f"two plugins offer '{offer.name}' for {offer.hook.name}: {other.plugin} and {offer.plugin}"
            faults.append(PluginError(text, remedy="Uninstall one of their distributions."))
        seen[offer.name] = offer
    return faults


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a distribution says of itself."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


def _origin(distribution: Distribution | None) -> _Origin:
    """Read the fields that its metadata begins with, a line each; ``Distribution.metadata`` parses the README too."""
    if distribution is None:
        return _Origin("(unknown)", "")
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    fields = [line.partition(": ")[::2] for line in text.partition("\n\n")[0].splitlines()]
    first = dict(reversed(fields))
    requires = tuple(value for name, value in fields if name == "Requires-Dist")
    return _Origin(first.get("Name", "(unknown)"), first.get("Version", ""), requires)
