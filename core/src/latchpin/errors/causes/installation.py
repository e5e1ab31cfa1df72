"""What is wrong with the gateway's own settings, plugins, entries and stores."""

from __future__ import annotations

from latchpin.errors.causes.cause import Cause

__all__ = ["CONFIGURATION", "STORE", "UNFORESEEN"]

INTERNAL = Cause(
    slug="internal",
    fault="the gateway",
    status=500,
    title="Something went wrong",
    public="The gateway could not do this.",
    happened="{what}",
    remedy="Look for this answer's id in the gateway's log.",
    meaning=(
        "The gateway did something that nobody foresaw. The log has one ERROR line with a traceback; the answer has "
        "none of it."
    ),
)
SETTINGS = Cause(
    slug="settings",
    fault="the administrator",
    status=500,
    title="A setting is not valid",
    public="A setting is not valid.",
    happened="{what}",
    remedy="Correct the setting and start again.",
    meaning=(
        "A setting does not hold. The message names the variable, what it holds (secrets masked), and what is allowed. "
        "It stops the start."
    ),
    stops=True,
)
PLUGIN = Cause(
    slug="plugin",
    fault="the administrator",
    status=500,
    title="A plugin is missing or broken",
    public="A plugin is missing or broken.",
    happened="{what}",
    remedy="See what is installed with: latchpin plugins.",
    meaning=(
        "A plugin failed to import, wants another version of latchpin, misnames a hook, returns what a hook does not "
        "take, fails to open, or offers a name that another one offers. The message names the plugin, its "
        "distribution and version. It stops the start; `latchpin plugins` still works."
    ),
    stops=True,
)
NO_ISSUER = Cause(
    slug="no-issuer",
    fault="the administrator",
    status=502,
    title="No issuer configured",
    public="No issuer configured",
    happened="{what}",
    remedy="Set oauth_config.issuer on the gateway, or authorization_url, token_url and client_id.",
    meaning=(
        "A discovery or registration is needed, and neither the gateway nor its MCP server names an authorization "
        "server."
    ),
    see="discovery-fails",
)
SCOPES_BEYOND_CEILING = Cause(
    slug="scopes-beyond-ceiling",
    fault="the administrator",
    status=502,
    title="No scope may be asked for",
    public="Nothing that this gateway needs may be asked for here.",
    happened="{what}",
    remedy="Enter scopes on the gateway that OAUTH_SCOPE_CEILING and the rules allow, or raise that ceiling.",
    meaning=(
        "`OAUTH_SCOPE_CEILING` or a rule about scopes holds, and no scope of the gateway is within it, or none is "
        "named at all. A request without a scope gets what the server likes, so none is made."
    ),
)
STATE_STORAGE_DISABLED = Cause(
    slug="state-storage-disabled",
    fault="the administrator",
    status=503,
    title="OAuth is switched off",
    public="OAuth is switched off: CACHE_TYPE=none keeps no state.",
    happened="CACHE_TYPE=none keeps no state",
    remedy="Set CACHE_TYPE=database, or redis.",
    meaning="`CACHE_TYPE=none`: there is nowhere to keep an authorization.",
)
UNSEALABLE = Cause(
    slug="unsealable",
    fault="the administrator",
    status=503,
    title="A stored secret cannot be opened",
    public="A stored secret cannot be opened with the secrets this gateway has.",
    happened="{what}",
    remedy="Put the earlier AUTH_ENCRYPTION_SECRET into AUTH_ENCRYPTION_SECRETS_OLD, or enter the value anew.",
    meaning=(
        "A stored secret was sealed under a key that this instance does not have, is damaged, or was moved from "
        "another row."
    ),
    see="the-secret-changed",
)
WEAK_SECRET = Cause(
    slug="weak-secret",
    fault="the administrator",
    status=503,
    title="The gateway still has its default secret",
    public=(
        "AUTH_ENCRYPTION_SECRET is the published default or too short, so only requests from this machine to "
        "BASE_URL are served."
    ),
    happened="{what}",
    remedy=(
        "Set AUTH_ENCRYPTION_SECRET to what 'latchpin secret generate' prints, and restart. On this machine, open "
        "BASE_URL."
    ),
    meaning=(
        "The default or a short secret serves this machine only. The request came from elsewhere, by another host "
        "name, or through a proxy."
    ),
    see="the-default-secret",
)
STORE_UNAVAILABLE = Cause(
    slug="store-unavailable",
    fault="the store",
    status=503,
    title="The store is not reachable",
    public="The gateway's store is not reachable at the moment.",
    happened="{what}",
    remedy="Try again in a moment; operators: see /ready and the log.",
    meaning="The store cannot be reached or does not answer. The answer has a `Retry-After` header. A callback waits "
    "`OAUTH_CALLBACK_WAIT_SECONDS` for it first, and if its state is not used up, the same link may be opened again.",
    see="the-store-is-away",
)
SCHEMA_OUTDATED = Cause(
    slug="schema-outdated",
    fault="the administrator",
    status=503,
    title="The database schema is not up to date",
    public="The database schema is not up to date.",
    happened="{what}",
    remedy="Run: latchpin db upgrade",
    meaning="The database's schema is missing, older, newer or another program's. It stops the start.",
    see="the-schema-is-old",
    stops=True,
)
STATE_CONFLICT = Cause(
    slug="state-conflict",
    fault="the gateway",
    status=500,
    title="That state exists already",
    public="The gateway could not do this.",
    happened="{what}",
    remedy="Look for this answer's id in the gateway's log.",
    meaning=(
        "A state that exists already was put again. States hold 128 random bits, so this means a broken random source "
        "or a fault in a store plugin."
    ),
)
RECORD_CONFLICT = Cause(
    slug="record-conflict",
    fault="the person",
    status=409,
    title="The record changed meanwhile",
    public="The record was changed by somebody else meanwhile.",
    happened="{what}",
    remedy="Read it again and repeat the change.",
    meaning="Somebody else changed the record between reading and writing.",
)

CONFIGURATION = (SETTINGS, PLUGIN, NO_ISSUER, SCOPES_BEYOND_CEILING, STATE_STORAGE_DISABLED, UNSEALABLE, WEAK_SECRET)
STORE = (STORE_UNAVAILABLE, SCHEMA_OUTDATED, STATE_CONFLICT, RECORD_CONFLICT)
UNFORESEEN = (INTERNAL,)
