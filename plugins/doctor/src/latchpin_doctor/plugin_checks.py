"""Are the installed plugins sound, and would a gateway start with them?"""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import Finding, Severity
from latchpin.errors import PluginError

from latchpin_doctor.examination import Examination

__all__ = ["check_plugins"]

LIST = "latchpin plugins"


async def check_plugins(context: Examination) -> Sequence[Finding]:
    """Each plugin that cannot be loaded, misnames a hook, fails in one, returns what is none, or clashes."""
    plugins = context.plugins
    faults = {fault.detail: fault for fault in plugins.faults()}
    if faults:
        return [_failure(fault) for fault in faults.values()]
    count = len({plugin.distribution for plugin in plugins.installed})
    found = [Finding(Severity.OK, f"The plugins of {count} distributions load and fit together")]
    return [*found, *map(_warning, plugins.leaving())]


def _failure(fault: PluginError) -> Finding:
    title = "A plugin cannot be used, and a gateway does not start with it"
    return Finding(Severity.FAILURE, title, fault.detail, fault.remedy, LIST, PluginError.code)


def _warning(use: str) -> Finding:
    return Finding(
        Severity.WARNING, use, "It works until then.", "Ask for, or install, a version of it that does so.", LIST
    )
