"""Are the installed plugins sound, and would a gateway start with them?"""

from __future__ import annotations

from collections.abc import Sequence

from latchpin import hookspecs
from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.errors import PluginError
from latchpin.plugins import Plugins

__all__ = ["check_plugins"]

LIST = "latchpin plugins"


async def check_plugins(context: CheckContext) -> Sequence[Finding]:
    """Each plugin that cannot be loaded, fails in a hook, implements one that does not exist, or clashes."""
    plugins = context.plugins
    broken = [
        _failure(
            f"Plugin '{plugin.name}' of {plugin.distribution} {plugin.version} cannot be loaded",
            plugin.error,
            f"Repair or uninstall {plugin.distribution}; the gateway does not start with it.",
        )
        for plugin in plugins.installed
        if plugin.error is not None
    ]
    findings = broken + _unsound(plugins, told=bool(broken)) + _clashes(plugins)
    count = len({plugin.distribution for plugin in plugins.installed})
    return findings or [Finding(Severity.OK, f"The plugins of {count} distributions load and fit together")]


def _unsound(plugins: Plugins, *, told: bool) -> list[Finding]:
    """What the start would refuse, unless that is the broken plugin that was named."""
    try:
        if not told:
            plugins.require_sound()
    except PluginError as exc:
        return [_failure("A plugin implements a hook that does not exist", exc.detail, exc.remedy)]
    return []


def _clashes(plugins: Plugins) -> list[Finding]:
    findings: dict[str, Finding] = {}
    for hook in (name for name in vars(hookspecs) if name.startswith("latchpin_")):
        try:
            plugins.offers(hook)
        except PluginError as exc:
            findings.setdefault(exc.detail, _failure("Plugins fail or clash", exc.detail, exc.remedy))
    return list(findings.values())


def _failure(title: str, detail: str, remedy: str) -> Finding:
    return Finding(Severity.FAILURE, title, detail, remedy, LIST, PluginError.code)
