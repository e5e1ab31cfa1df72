"""Which header fields pass the data plane: of requests those that are named here, of answers all but these.

It cannot look at names one by one, as the proxy does. So of a request only what MCP and HTTP need passes; what else an
MCP server needs is named in EDGE_HEADERS.
"""

from __future__ import annotations

__all__ = ["FALLS", "HIDDEN", "PASSING", "always", "is_same_field"]

PASSING = (
    "accept",
    "accept-language",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "traceparent",
    "tracestate",
    "user-agent",
)
"""Of a request's. Token or key and session are put in; ``Host``, length and connection are the data plane's own."""

HIDDEN = (
    # what a browser would apply to our origin, and what would lead a client to another server with our token
    "set-cookie",
    "set-cookie2",
    "set-login",
    "www-authenticate",
    "authentication-info",
    "authentication-control",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-status",
    "dpop-nonce",
    "location",
    "refresh",
    "link",
    "alt-svc",
    "clear-site-data",
    "strict-transport-security",
    "public-key-pins",
    "public-key-pins-report-only",
    "content-security-policy",
    "content-security-policy-report-only",
    "x-frame-options",
    "permissions-policy",
    "feature-policy",
    "document-policy",
    "origin-agent-cluster",
    "speculation-rules",
    "service-worker-allowed",
    "sourcemap",
    "x-sourcemap",
    "accept-ch",
    "critical-ch",
    "timing-allow-origin",
    "nel",
    "report-to",
    "reporting-endpoints",
    "x-content-type-options",
    "referrer-policy",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
    "cross-origin-embedder-policy",
    "cross-origin-embedder-policy-report-only",
    "cross-origin-opener-policy",
    "cross-origin-opener-policy-report-only",
    "cross-origin-resource-policy",
    "sec-session-registration",
    "sec-session-challenge",
    # what a proxy or cache in front of us would obey
    "cache-control",
    "cdn-cache-control",
    "expires",
    "pragma",
    "surrogate-control",
    "surrogate-key",
    "vary",
    "age",
    "x-accel-redirect",
    "x-accel-expires",
    "x-accel-limit-rate",
    "x-accel-buffering",
    "x-accel-charset",
    "x-sendfile",
    "x-sendfile-type",
    "x-lighttpd-send-file",
    "x-litespeed-location",
    "x-reproxy-url",
    "x-edge-refused",
    # the server's own name of the session; the caller's is given back
    "mcp-session-id",
    "server",
    "date",
)
"""Of an answer's."""

_ALWAYS = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("content-security-policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
)
"""What each answer has; the policy is stricter than that of the gateway's pages, since none is among them."""
_STRICT_TRANSPORT = ("strict-transport-security", "max-age=31536000")

FALLS = (300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 415, 421, 426, 511)
"""What an MCP server answers that did nothing: the proxy asks it again, and knows what to do about it."""


def is_same_field(one: str, other: str) -> bool:
    """Whether some programs read two names as one field (RFC 3875 section 4.1.18). Pure."""
    return one.lower().replace("_", "-") == other.lower().replace("_", "-")


def always(*, secure: bool) -> dict[str, str]:
    """What each answer has, by names in lower case; ``secure`` is whether callers come by https. Pure."""
    return dict([*_ALWAYS, *([_STRICT_TRANSPORT] if secure else [])])
