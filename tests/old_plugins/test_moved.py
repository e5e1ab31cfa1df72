"""What moved to another distribution is still where plugins of hook API 1.0 look for it, with a word of where it is."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest
from latchpin.contracts import McpCall
from latchpin.errors import PluginError
from latchpin.model import Caller
from latchpin.plugins.leaving import LEAVING, Leaving, find_uses
from latchpin_testing import running_gateway

__all__ = ["running_gateway"]

PLUGINS = Path(__file__).parents[2] / "plugins"
NEEDS = ("latchpin_mcp", "latchpin_offboarding")


@pytest.mark.parametrize("name", LEAVING, ids=lambda each: each.name)
def test_a_moved_name_is_found_in_its_old_place(name: Leaving):
    old = resolve_name(f"{name.module}:{name.last}")
    assert old is resolve_name(name.instead)
    assert name.last not in import_module(name.module).__all__, "nobody begins with it there"


@pytest.mark.parametrize("package", sorted(path.name for path in PLUGINS.glob("*/src/*")))
def test_no_plugin_of_this_project_uses_a_name_that_goes(package: str):
    """A start does not look for it there."""
    assert find_uses(package, LEAVING) == []


def test_a_module_has_no_other_names():
    with pytest.raises(ImportError):
        from latchpin.sdk.calls import Nothing  # noqa: F401


def test_who_lacks_the_distribution_is_told_its_name(monkeypatch: pytest.MonkeyPatch):
    calls = import_module("latchpin.sdk.calls")
    monkeypatch.setitem(sys.modules, "latchpin_mcp", None)
    with pytest.raises(PluginError, match="is in latchpin-mcp") as caught:
        _ = calls.WatchedCall
    assert caught.value.remedy == "Install latchpin-mcp with pip."


class Listener:
    """Notes the calls that it is told of."""

    at_once, sees_all, follows = True, False, False

    def __init__(self):
        self.begun = []

    def begin(self, call):
        self.begun.append(call)


async def test_calls_of_the_services_are_told(running_gateway):
    listener = Listener()
    gateway = await running_gateway()
    gateway.services.call_observers["a listener"] = listener
    with pytest.warns(DeprecationWarning, match=r"Services\.calls, which goes with hook API 2\.0: use latchpin_mcp"):
        calls = gateway.services.calls
    watched = calls.watch(McpCall("server", Caller("ann@example.com"), "/acme"), print)
    watched.read(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}')
    await watched.end()
    assert [each.method for each in listener.begun] == ["ping"]
