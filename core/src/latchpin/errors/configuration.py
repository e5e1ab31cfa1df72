"""What is wrong with our own settings, plugins or gateway entries."""

from __future__ import annotations

from latchpin.errors.causes import installation
from latchpin.errors.root import LatchpinError

__all__ = [
    "ConfigurationError",
    "IssuerMissing",
    "PluginError",
    "ScopesBeyondCeiling",
    "SettingsError",
    "StateStorageDisabled",
    "Unsealable",
    "WeakSecret",
]


class ConfigurationError(LatchpinError):
    """Our own settings, plugins or gateway entries are at fault."""


class SettingsError(ConfigurationError):
    """A setting does not hold; stops the start."""

    cause = installation.SETTINGS


class PluginError(ConfigurationError):
    """A plugin is missing, broken, or clashes with another; stops the start."""

    cause = installation.PLUGIN


class IssuerMissing(ConfigurationError):
    """A registration or discovery is needed, and the gateway names no issuer and none was found."""

    cause = installation.NO_ISSUER


class ScopesBeyondCeiling(ConfigurationError):
    """No scope of the gateway is within OAUTH_SCOPE_CEILING."""

    cause = installation.SCOPES_BEYOND_CEILING


class StateStorageDisabled(ConfigurationError):
    """CACHE_TYPE=none: there is nowhere to keep a flow."""

    cause = installation.STATE_STORAGE_DISABLED


class Unsealable(ConfigurationError):
    """A sealed value opens with none of the keys we have, or was moved from another record."""

    cause = installation.UNSEALABLE


class WeakSecret(ConfigurationError):
    """The default or a short AUTH_ENCRYPTION_SECRET, and a request that is not plainly from this machine."""

    cause = installation.WEAK_SECRET
