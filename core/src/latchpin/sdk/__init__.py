"""The plugin SDK: what a plugin imports beside ``latchpin`` and its ``contracts``, ``model`` and ``errors``.

``PUBLISHED`` lists every module that a plugin may import, and each module's ``__all__`` the names. What is published
changes with a new minor version only, and the changelog says so. Everything else in the distribution is internal: it
moves and changes without notice.

Each module has one theme and loads what that theme needs: a store that imports ``latchpin.sdk.stores`` loads no web
framework. Importing ``latchpin.sdk`` itself loads none of them.
"""

__all__ = ["PUBLISHED"]

PUBLISHED = (
    "latchpin",
    "latchpin.contracts",
    "latchpin.model",
    "latchpin.errors",
    "latchpin.sdk.settings",
    "latchpin.sdk.hooks",
    "latchpin.sdk.urls",
    "latchpin.sdk.mcp",
    "latchpin.sdk.oauth",
    "latchpin.sdk.outbound",
    "latchpin.sdk.identity",
    "latchpin.sdk.keys",
    "latchpin.sdk.stores",
    "latchpin.sdk.workers",
    "latchpin.sdk.activity",
    "latchpin.sdk.checks",
    "latchpin.sdk.gateway",
    "latchpin.sdk.assembly",
    "latchpin.sdk.web",
    "latchpin.sdk.sign_in",
    "latchpin.sdk.commands",
)
"""The modules that a plugin may import, from the plainest to the richest."""
