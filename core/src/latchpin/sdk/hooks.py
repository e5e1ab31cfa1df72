"""The hooks, each as a typed value: what ``opened`` and ``Plugins.offers`` are told to look at.

A plugin implements a hook by a function of its name, marked with ``latchpin.hookimpl``. These values are for who asks
what all plugins offer. Each is a ``Hook`` or, where backends are offered, a ``BackendHook``; ``HOOKS`` has them all::

    async with opened(CLIENT_REGISTRAR) as application:
        ...

For the command line: ``COMMANDS`` and ``SETTINGS``. For keys: ``KEY_WRAPPER``, ``KEY_SOURCE``, ``KEY_USES``,
``SIGNER``, ``CIPHER`` and ``PKCE_METHODS``. For stores: ``STATE_STORE`` and ``RECORD_STORE``. For authorization
servers: ``CLIENT_AUTHENTICATIONS``, ``CLIENT_REGISTRAR``, ``GRANTS`` and ``SERVER_PROFILES``. For MCP servers without
OAuth: ``AUTH_SCHEMES``. For people: ``IDENTITY``, ``SIGN_INS``, ``GROUPS`` and ``IDENTITY_ASSERTIONS``. For what they
may use: ``TOOL_GATES`` and ``SCOPE_CEILINGS``. For what happens: ``EVENT_LISTENERS``, ``RECORDERS``, ``OBSERVERS``,
``CALL_OBSERVERS``, ``CONNECTION_OBSERVERS``, ``GAUGES`` and ``BACKGROUND_TASKS``. For MCP clients:
``PROTECTED_RESOURCES`` and ``MCP_SERVERS``. For pages: ``ROUTES``, ``NAVIGATION``, ``ENTRY_NOTES`` and
``CONNECTION_NOTES``. For files: ``CONFIGURATION_KINDS`` and ``SECRET_SCHEMES``. For doctor: ``CHECKS``.
``SIDE_BY_SIDE`` are those of which several offers may be open at a time.
"""

from latchpin.plugins.hookspecs import (
    AUTH_SCHEMES,
    BACKGROUND_TASKS,
    CALL_OBSERVERS,
    CHECKS,
    CIPHER,
    CLIENT_AUTHENTICATIONS,
    CLIENT_REGISTRAR,
    COMMANDS,
    CONFIGURATION_KINDS,
    CONNECTION_NOTES,
    CONNECTION_OBSERVERS,
    ENTRY_NOTES,
    EVENT_LISTENERS,
    GAUGES,
    GRANTS,
    GROUPS,
    HOOKS,
    IDENTITY,
    IDENTITY_ASSERTIONS,
    KEY_SOURCE,
    KEY_USES,
    KEY_WRAPPER,
    MCP_SERVERS,
    NAVIGATION,
    OBSERVERS,
    PKCE_METHODS,
    PROTECTED_RESOURCES,
    RECORD_STORE,
    RECORDERS,
    ROUTES,
    SCOPE_CEILINGS,
    SECRET_SCHEMES,
    SERVER_PROFILES,
    SETTINGS,
    SIDE_BY_SIDE,
    SIGN_INS,
    SIGNER,
    STATE_STORE,
    TOOL_GATES,
    BackendHook,
    Hook,
)

__all__ = [
    "AUTH_SCHEMES",
    "BACKGROUND_TASKS",
    "CALL_OBSERVERS",
    "CHECKS",
    "CIPHER",
    "CLIENT_AUTHENTICATIONS",
    "CLIENT_REGISTRAR",
    "COMMANDS",
    "CONFIGURATION_KINDS",
    "CONNECTION_NOTES",
    "CONNECTION_OBSERVERS",
    "ENTRY_NOTES",
    "EVENT_LISTENERS",
    "GAUGES",
    "GRANTS",
    "GROUPS",
    "HOOKS",
    "IDENTITY",
    "IDENTITY_ASSERTIONS",
    "KEY_SOURCE",
    "KEY_USES",
    "KEY_WRAPPER",
    "MCP_SERVERS",
    "NAVIGATION",
    "OBSERVERS",
    "PKCE_METHODS",
    "PROTECTED_RESOURCES",
    "RECORDERS",
    "RECORD_STORE",
    "ROUTES",
    "SCOPE_CEILINGS",
    "SECRET_SCHEMES",
    "SERVER_PROFILES",
    "SETTINGS",
    "SIDE_BY_SIDE",
    "SIGNER",
    "SIGN_INS",
    "STATE_STORE",
    "TOOL_GATES",
    "BackendHook",
    "Hook",
]
