"""What an authorization server or an MCP server did, apart from refusing with a code."""

from __future__ import annotations

from dataclasses import replace

from latchpin.errors.causes.cause import Cause

__all__ = ["AT_MCP_SERVER", "AT_TOKEN_ENDPOINT", "PROVIDER"]

_OPERATOR = "Try again; if it repeats, ask the server's operator."

PROVIDER_UNREACHABLE = Cause(
    slug="provider-unreachable",
    fault="the authorization server",
    status=502,
    title="The server cannot be reached",
    public="The server could not be reached.",
    happened="{what}",
    remedy=_OPERATOR,
    meaning="No answer: the name cannot be resolved, the connection or TLS failed, or the connection broke.",
)
PROVIDER_TIMEOUT = Cause(
    slug="provider-timeout",
    fault="the authorization server",
    status=504,
    title="The server took too long",
    public="The server did not answer in time.",
    happened="{what}",
    remedy=_OPERATOR,
    meaning=(
        "There was no whole answer within `OAUTH_REQUEST_TIMEOUT`. A server that sends a byte now and then runs into "
        "it too."
    ),
)
ADDRESS_REFUSED = Cause(
    slug="address-refused",
    fault="the administrator",
    status=502,
    title="That address is not allowed",
    public="The server's address is not one this gateway connects to.",
    happened="{what}",
    remedy="Use a public https URL, or set OAUTH_ALLOW_PRIVATE_NETWORKS=true where upstreams are private.",
    meaning=(
        "The URL leads to a loopback, private, link-local, metadata-service or otherwise not public address. The "
        "address that is checked is the one connected to."
    ),
    see="the-address-is-refused",
)
PROVIDER_UNREADABLE = Cause(
    slug="provider-unreadable",
    fault="the authorization server",
    status=502,
    title="The server's answer cannot be read",
    public="The server's answer is not what the protocol says.",
    happened="{what}",
    remedy=_OPERATOR,
    meaning="An answer came that is not what the protocol says: HTML, wrong types, too large, a 5xx status.",
)
PROVIDER_BUSY = Cause(
    slug="provider-busy",
    fault="the authorization server",
    status=503,
    title="The server asks us to wait",
    public="The server takes no more requests for a while.",
    happened="{what}",
    remedy="Wait for as long as Retry-After says, then do the same again; you stay connected.",
    meaning=(
        "The authorization server answered 429, 408, `slow_down`, a failure with `Retry-After`, or a firewall's page, "
        "now or a moment ago. Until that time is over, no worker asks it again for this gateway; `Retry-After` says "
        "when. Or the MCP server answered so when its tools were to be fetched."
    ),
)
TOKEN_UNREACHABLE = replace(
    PROVIDER_UNREACHABLE,
    slug="token-endpoint-unreachable",
    title="The token endpoint cannot be reached",
    public="The authorization server's token endpoint could not be reached.",
    meaning=(
        "The authorization server's token endpoint cannot be reached from here: the name cannot be "
        "resolved, the connection or TLS failed, or the connection broke."
    ),
    general=PROVIDER_UNREACHABLE.slug,
)
TOKEN_TIMEOUT = replace(
    PROVIDER_TIMEOUT,
    slug="token-endpoint-timeout",
    title="The token endpoint took too long",
    public="The authorization server's token endpoint did not answer in time.",
    meaning="The token endpoint gave no whole answer within `OAUTH_REQUEST_TIMEOUT`. A code is never sent twice.",
    general=PROVIDER_TIMEOUT.slug,
)
TOKEN_UNREADABLE = replace(
    PROVIDER_UNREADABLE,
    slug="token-endpoint-unreadable",
    title="The token endpoint's answer cannot be read",
    public="The token endpoint's answer is not what the protocol says.",
    meaning="The token endpoint answered with HTML, wrong types, too much, no token, or with a 5xx status.",
    general=PROVIDER_UNREADABLE.slug,
)
ACCESS_REFUSED = Cause(
    slug="access-refused",
    fault="the MCP server",
    status=502,
    title="The MCP server refused the token",
    public="The MCP server did not accept the access token.",
    happened="{what}",
    remedy="Authorize again; if it repeats, the server expects a token from elsewhere or for another resource.",
    meaning="The MCP server answered 401 or 403 to a token that the authorization server had issued.",
)
TOOLS_UNREACHABLE = Cause(
    slug="tools-unreachable",
    fault="the MCP server",
    status=502,
    title="The MCP server cannot be reached",
    public="The MCP server could not be reached, so its tools are not known.",
    happened="{what}",
    remedy="Check the gateway's url and that the MCP server runs, then fetch the tools again; you stay connected.",
    meaning=(
        "The tools were to be fetched, and the MCP server gave no answer: the name cannot be resolved, or the "
        "connection or TLS failed. The user's token is kept."
    ),
    general=PROVIDER_UNREACHABLE.slug,
)
TOOLS_TIMEOUT = replace(
    TOOLS_UNREACHABLE,
    slug="tools-timeout",
    status=504,
    title="The MCP server took too long",
    public="The MCP server did not answer in time, so its tools are not known.",
    meaning="The MCP server did not list all its tools within `OAUTH_REQUEST_TIMEOUT`. The user's token is kept.",
    general=PROVIDER_TIMEOUT.slug,
)
TOOLS_UNREADABLE = replace(
    TOOLS_UNREACHABLE,
    slug="tools-unreadable",
    title="The MCP server's answer cannot be read",
    public="The MCP server's answer is not what the protocol says, so its tools are not known.",
    remedy=(
        "Check that the gateway's url is the server's streamable HTTP endpoint; if it is, ask the server's operator."
    ),
    meaning=(
        "What answers at the gateway's url does not speak MCP over streamable HTTP, failed, or lists more than 1,000 "
        "tools or 5 MB."
    ),
    general=PROVIDER_UNREADABLE.slug,
)
DISCOVERY_FAILED = Cause(
    slug="discovery-failed",
    fault="the authorization server",
    status=502,
    title="Metadata discovery failed",
    public="Metadata discovery failed",
    happened="{what}",
    remedy=(
        "See which request failed: correct the gateway's url or issuer if it is wrong, and the server or the "
        "network if it does not answer; or enter authorization_url and token_url by hand."
    ),
    meaning=(
        "No usable metadata was found (RFC 8414, RFC 9728). The detail lists each request that was made and what came "
        "back."
    ),
    see="discovery-fails",
)
ISSUER_MOVED = replace(
    DISCOVERY_FAILED,
    slug="issuer-moved",
    fault="the MCP server",
    title="The MCP server names another authorization server",
    happened="{url} now names the issuer {named}, and {pinned} was pinned when it was first used",
    remedy=(
        "If the server really moved, an administrator confirms it with: latchpin gateways confirm-issuer <id>; "
        "OAUTH_FOLLOW_ISSUER_CHANGE=true follows every such change."
    ),
    meaning=(
        "The MCP server names another authorization server than the one that was pinned when the gateway was first "
        "used. Following it without a question could send people to somebody else's."
    ),
    general=DISCOVERY_FAILED.slug,
)
PKCE_UNSUPPORTED = Cause(
    slug="pkce-unsupported",
    fault="the authorization server",
    status=502,
    title="The authorization server does not offer PKCE with S256",
    public="The authorization server does not offer PKCE with S256.",
    happened="{what}",
    remedy="If it is known to support S256 without saying so, set assume_pkce on the gateway.",
    meaning="The server's metadata does not list `S256` in `code_challenge_methods_supported`.",
    see="no-pkce",
)
DCR_FAILED = Cause(
    slug="dcr-failed",
    fault="the administrator",
    status=502,
    title="DCR failed",
    public="DCR failed",
    happened="{what}",
    remedy="Register a client by hand and enter its client_id (and client_secret) on the gateway.",
    meaning=(
        "The gateway has no `client_id` and cannot get one: registration is switched off, not allowed at this issuer, "
        "or not finished by another process."
    ),
    see="registration-fails",
)
DCR_UNSUPPORTED = replace(
    DCR_FAILED,
    slug="dcr-unsupported",
    fault="the authorization server",
    happened=(
        "The authorization server {issuer} does not support RFC 7591: its metadata names no registration_endpoint."
    ),
    meaning="The gateway has no `client_id`, and the authorization server does not offer registration (RFC 7591).",
    general=DCR_FAILED.slug,
)
DCR_REFUSED = replace(
    DCR_FAILED,
    slug="dcr-refused",
    fault="the authorization server",
    meaning=(
        "The gateway has no `client_id`, and the authorization server refused to register one. The detail says with "
        "what."
    ),
    general=DCR_FAILED.slug,
)

AT_TOKEN_ENDPOINT = {cause.general: cause for cause in (TOKEN_UNREACHABLE, TOKEN_TIMEOUT, TOKEN_UNREADABLE)}
AT_MCP_SERVER = {cause.general: cause for cause in (TOOLS_UNREACHABLE, TOOLS_TIMEOUT, TOOLS_UNREADABLE)}
"""What the general causes are called there, by the general slug."""

PROVIDER = (
    PROVIDER_UNREACHABLE,
    PROVIDER_TIMEOUT,
    ADDRESS_REFUSED,
    PROVIDER_UNREADABLE,
    PROVIDER_BUSY,
    TOKEN_UNREACHABLE,
    TOKEN_TIMEOUT,
    TOKEN_UNREADABLE,
    DISCOVERY_FAILED,
    ISSUER_MOVED,
    PKCE_UNSUPPORTED,
    DCR_FAILED,
    DCR_UNSUPPORTED,
    DCR_REFUSED,
    ACCESS_REFUSED,
    TOOLS_UNREACHABLE,
    TOOLS_TIMEOUT,
    TOOLS_UNREADABLE,
)
