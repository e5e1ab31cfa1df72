"""What the person or program that called has to do differently."""

from __future__ import annotations

from latchpin.errors.causes.cause import Cause

__all__ = ["CALLER"]

NOT_SIGNED_IN = Cause(
    slug="not-signed-in",
    fault="the person",
    status=401,
    title="Sign in first",
    public="This needs a signed-in caller.",
    happened="{what}",
    remedy="Send 'Authorization: Bearer <token>' (make one with: latchpin token create --email you@example.com).",
    meaning=(
        "No identity came with the request, or the one that came does not hold: an expired or foreign bearer token, a "
        "repeated header, two identities that disagree. A browser that has none is sent to `/login` instead."
    ),
)
SIGN_IN_FAILED = Cause(
    slug="sign-in-failed",
    fault="the person",
    status=403,
    title="You are not signed in",
    public="The sign-in did not succeed.",
    happened="{what}",
    remedy="Sign in again; if it repeats, ask an administrator to look for this answer's id in the gateway's log.",
    meaning=(
        "A sign-in at another server did not come to a good end. Nobody is signed in by it, and an earlier session "
        "goes on."
    ),
)
FORBIDDEN = Cause(
    slug="forbidden",
    fault="the person",
    status=403,
    title="Not allowed",
    public="Your account may not do this.",
    happened="{what}",
    remedy="Ask an administrator (ADMIN_EMAILS names them).",
    meaning="The caller is known and is not an administrator, where only administrators may act.",
)
CSRF_REFUSED = Cause(
    slug="csrf-refused",
    fault="the person",
    status=403,
    title="This form is not ours",
    public="The request did not come from one of this gateway's own pages.",
    happened="{what}",
    remedy="Reload the page and press the button again, or call with a Bearer token.",
    meaning=(
        "A form or a POST came without the token that the gateway's own pages carry, or the browser says that another "
        "site sent it."
    ),
)
NOT_FOUND = Cause(
    slug="not-found",
    fault="the person",
    status=404,
    title="Not found",
    public="This does not exist, or you may not see it.",
    happened="{what}",
    remedy="Check the id; 'latchpin gateways list' shows the gateways.",
    meaning=(
        "There is no such thing, or none that this caller may know of. Both read alike, so that ids cannot be guessed."
    ),
)
INVALID_REQUEST = Cause(
    slug="invalid-request",
    fault="the person",
    status=400,
    title="The request is not valid",
    public="The request is not valid.",
    happened="{what}",
    remedy="Correct the named value and send it again.",
    meaning=(
        "A value is missing, malformed, or contradicts another. The detail names each one. Some cases have a status of "
        "their own: 422 for a body or parameter of the wrong form, 405 for a method that is not allowed."
    ),
)
REQUEST_TOO_LARGE = Cause(
    slug="request-too-large",
    fault="the person",
    status=413,
    title="The request is too large",
    public="The request is too large.",
    happened="{what}",
    remedy="Send less; the detail names the limit.",
    meaning="A limit: 16 KiB for the URL (414), 100 header fields or 64 KiB of them (431), 1 MiB for the body (413).",
)
CONFLICT = Cause(
    slug="conflict",
    fault="the person",
    status=409,
    title="Somebody was faster, or the name is ambiguous",
    public="The request contradicts what is stored.",
    happened="{what}",
    remedy="Read the current state and try again.",
    meaning=(
        "What the request asks contradicts what is stored: another change came first, or a `client_id` names several "
        "registered clients."
    ),
)
TOO_MANY_PENDING = Cause(
    slug="too-many-pending",
    fault="the person",
    status=429,
    title="Too many unfinished authorizations",
    public="Too many authorizations have been begun and not finished.",
    happened="{what}",
    remedy="Finish one, or wait until they expire.",
    meaning="`MAX_PENDING_PER_USER` or `MAX_PENDING` is reached. The answer has a `Retry-After` header.",
)
AUTHORIZATION_REQUIRED = Cause(
    slug="authorization-required",
    fault="the person",
    status=401,
    title="Authorize first",
    public="You have no usable token for this gateway.",
    happened="{what}",
    remedy="Open authorize_url in a browser.",
    meaning=(
        "The caller has no token for this gateway, or it cannot be renewed: the server no longer takes the refresh "
        "token, gave none, or the stored token opens with no key. A JSON answer has `authorize_url`."
    ),
    see="the-token-is-gone",
)
SHARED_CONNECTION_MISSING = Cause(
    slug="shared-connection-missing",
    fault="the administrator",
    status=403,
    title="An administrator connects this server",
    public="This server is used with one account for all, which an administrator connects.",
    happened="{what}",
    remedy="Ask an administrator to connect it.",
    meaning=(
        "The gateway's connection is shared: its one account is not connected, or no longer works, and the caller is "
        "no administrator. Nobody else can connect it, so nobody else is given a link."
    ),
    see="the-token-is-gone",
)
SHARED_CONNECTION_UNCONFIRMED = Cause(
    slug="shared-connection-unconfirmed",
    fault="the administrator",
    status=403,
    title="Confirm that all will use this account",
    public="This server is used with one account for all, and nothing shows that you mean to connect it.",
    happened="{what}",
    remedy="Open authorize_url in a browser and press Continue, or call with a Bearer token.",
    meaning=(
        "An administrator's program began to connect the account that all of a gateway use, with nothing but what a "
        "browser sends by itself. A link could have led there, so a page asks first. A JSON answer has "
        "`authorize_url`."
    ),
)
IDENTITY_ASSERTION_REQUIRED = Cause(
    slug="identity-assertion-required",
    fault="the person",
    status=401,
    title="Your identity provider has to vouch for you",
    public="This gateway needs your identity provider's word for who you are.",
    happened="{what}",
    remedy="Call with a bearer token of your identity provider, or hand in your ID token.",
    meaning=(
        "The gateway's tokens come by an identity provider's word, and there is none about the caller that still "
        "holds: no bearer token of that provider came with the call, and no ID token is kept."
    ),
)
KEY_REFUSED = Cause(
    slug="key-refused",
    fault="the person",
    status=400,
    title="The server does not take this key",
    public="The MCP server did not take the key, so it was not kept.",
    happened="{what}",
    remedy="Check the key, and enter it once more; the server's operator says where to get one.",
    meaning=(
        "An API key is tried before it is kept, and the MCP server answered 401 or 403. The key is mistyped or was "
        "taken back, or the gateway's entry names another header field or prefix than the server reads. A key that was "
        "kept before is still there."
    ),
)

CALLER = (
    NOT_SIGNED_IN,
    SIGN_IN_FAILED,
    FORBIDDEN,
    CSRF_REFUSED,
    NOT_FOUND,
    INVALID_REQUEST,
    REQUEST_TOO_LARGE,
    CONFLICT,
    TOO_MANY_PENDING,
    AUTHORIZATION_REQUIRED,
    SHARED_CONNECTION_MISSING,
    SHARED_CONNECTION_UNCONFIRMED,
    IDENTITY_ASSERTION_REQUIRED,
    KEY_REFUSED,
)
