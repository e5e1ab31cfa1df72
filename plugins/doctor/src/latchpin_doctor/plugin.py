"""What Latchpin finds: the command ``doctor``, and the checks of what core itself knows.

What they import waits until one of them runs: a serving process needs none of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Sequence

import latchpin
from latchpin.contracts import Check, CheckContext, Command, Finding

__all__ = ["latchpin_checks", "latchpin_commands"]

SETTINGS, PLUGINS, STORES, INSTANCES, GATEWAYS = "Settings", "Plugins", "Stores", "Instances", "Gateways"


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Offer ``latchpin doctor``."""
    return [
        Command(
            "doctor",
            "Check settings, stores, instances and gateways, and say how to mend what is wrong.",
            "latchpin_doctor.command:app",
        )
    ]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Offer the checks of what core itself knows."""
    return [
        Check("settings", SETTINGS, "the settings", _lazily("settings_checks", "check_settings")),
        Check("secret", SETTINGS, "the secret", _lazily("settings_checks", "check_secret")),
        Check("times", SETTINGS, "the time that people have", _lazily("settings_checks", "check_times")),
        Check("plugins", PLUGINS, "the plugins", _lazily("plugin_checks", "check_plugins")),
        Check("left-behind", PLUGINS, "what plugins left behind", _lazily("left_behind", "check_left_behind")),
        Check("start", STORES, "the start", _lazily("store_checks", "check_start")),
        Check("key-service", STORES, "the key service", _lazily("key_service", "check_key_service")),
        Check("states", STORES, "where states are kept", _lazily("store_checks", "check_kind_of_states")),
        Check("stores", STORES, "the stores", _lazily("store_checks", "check_stores")),
        Check("sealed", STORES, "what is sealed", _lazily("store_checks", "check_sealed")),
        Check("workers", INSTANCES, "the workers", _lazily("instance_checks", "check_workers")),
        Check("secrets", INSTANCES, "the instances' secrets", _lazily("instance_checks", "check_secrets")),
        Check("instances", INSTANCES, "the instances", _lazily("instance_checks", "check_instances")),
        Check("gateways", GATEWAYS, "the gateways", _lazily("gateway_checks", "check_gateways")),
    ]


def _lazily(module: str, name: str) -> Callable[[CheckContext], Awaitable[Sequence[Finding]]]:
    """A check's function, imported when it runs."""

    async def run(context: CheckContext) -> Sequence[Finding]:
        found: Sequence[Finding] = await getattr(importlib.import_module(f"latchpin_doctor.{module}"), name)(context)
        return found

    return run
