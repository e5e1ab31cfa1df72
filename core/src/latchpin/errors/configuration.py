"""What is wrong with our own settings, plugins or gateway entries."""

from __future__ import annotations

from latchpin.errors.root import LatchpinError

__all__ = [
    "ConfigurationError",
    "IssuerMissing",
    "PluginError",
    "SettingsError",
    "StateStorageDisabled",
    "Unsealable",
    "WeakSecret",
]


class ConfigurationError(LatchpinError):
    """Our own settings, plugins or gateway entries are at fault."""


class SettingsError(ConfigurationError):
    """A setting does not hold; stops the start."""

    code = "settings"
    title = "A setting is not valid"
    public = "A setting is not valid."
    remedy = "Correct the setting and start again."


class PluginError(ConfigurationError):
    """A plugin is missing, broken, or clashes with another; stops the start."""

    code = "plugin"
    title = "A plugin is missing or broken"
    public = "A plugin is missing or broken."
    remedy = "See what is installed with: latchpin plugins."


class IssuerMissing(ConfigurationError):
    """A registration or discovery is needed, and the gateway names no issuer and none was found."""

    code = "no-issuer"
    status = 502
    title = "No issuer configured"
    public = "No issuer configured"
    remedy = "Set oauth_config.issuer on the gateway, or authorization_url, token_url and client_id."


class StateStorageDisabled(ConfigurationError):
    """CACHE_TYPE=none: there is nowhere to keep a flow."""

    code = "state-storage-disabled"
    status = 503
    title = "OAuth is switched off"
    public = "OAuth is switched off: CACHE_TYPE=none keeps no state."
    remedy = "Set CACHE_TYPE=database, or redis."


class Unsealable(ConfigurationError):
    """A sealed value opens with none of the keys we have, or was moved from another record."""

    code = "unsealable"
    status = 503
    title = "A stored secret cannot be opened"
    public = "A stored secret cannot be opened with the secrets this gateway has."
    remedy = "Put the earlier AUTH_ENCRYPTION_SECRET into AUTH_ENCRYPTION_SECRETS_OLD, or enter the value anew."


class WeakSecret(ConfigurationError):
    """The default or a short AUTH_ENCRYPTION_SECRET, and a request that is not plainly from this machine."""

    code = "weak-secret"
    status = 503
    title = "The gateway still has its default secret"
    public = (
        "AUTH_ENCRYPTION_SECRET is the published default or too short, so only requests from this machine to "
        "BASE_URL are served."
    )
    remedy = (
        "Set AUTH_ENCRYPTION_SECRET to what 'latchpin secret generate' prints, and restart. On this machine, open "
        "BASE_URL."
    )
