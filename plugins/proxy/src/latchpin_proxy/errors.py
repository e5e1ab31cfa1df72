"""What can go wrong at the MCP endpoint and nowhere else."""

from __future__ import annotations

from latchpin.errors import AuthorizationRequired, CallerError, Forbidden, UpstreamError

__all__ = [
    "NameNotYours",
    "NonceNeeded",
    "NotYetAuthorized",
    "NotYours",
    "ScopesNotAllowed",
    "OthersLink",
    "ServerMoved",
    "ServerRefused",
    "StepUpRequired",
    "TokenReplaced",
    "TooManyExchanges",
]


class GatewayChanged(UpstreamError):
    """The gateway was changed while a request was under way, and the server that it led to refused the token."""

    code = "gateway-changed"
    status = 503
    title = "Send it again"
    public = "The gateway was changed while this request was under way."
    remedy = "Send the request again."
    retry_after = 1


class NotYetAuthorized(AuthorizationRequired):
    """A request came again after its person had been asked to authorize, and they have not done so yet."""


class TooManyExchanges(CallerError):
    """More is under way than this worker allows."""

    code = "too-many-exchanges"
    status = 429
    title = "Too many exchanges at once"
    public = "Too many MCP exchanges are under way."
    remedy = "Close some streams, or raise PROXY_MAX_EXCHANGES and PROXY_MAX_EXCHANGES_PER_USER."


class StepUpRequired(AuthorizationRequired):
    """The MCP server wants a token with more scopes; another authorization asks for them.

    Attributes:
        scopes: those that it names.
    """

    scopes: tuple[str, ...] = ()

    code = "insufficient-scope"
    status = 403
    title = "Authorize for more"
    public = "The MCP server wants a token with more scopes."
    remedy = "Open authorize_url in a browser, then call again."


class ServerRefused(UpstreamError):
    """The MCP server refuses, and no authorization that the caller could begin would help."""

    code = "server-refused"
    status = 502
    title = "The MCP server refused"
    public = "The MCP server did not accept the request as this gateway sends it."
    remedy = "An administrator has to look at the gateway's entry."


class ScopesNotAllowed(Forbidden):
    """The MCP server wants scopes that a rule does not let its callers ask for."""

    code = "scopes-not-allowed"
    title = "Beyond what may be asked for"
    public = "The MCP server wants more rights than may be asked for here."
    remedy = "An administrator sees in the rules what may be asked for, and whether it should be more."


class NonceNeeded(UpstreamError):
    """The server asked for a proof with its nonce (RFC 9449), but the request was too large to be sent again."""

    code = "nonce-needed"
    status = 503
    title = "Send it again"
    public = "The MCP server asked for a fresh proof while this request was under way."
    remedy = "Send the request again; bodies up to PROXY_HELD_BYTES are repeated by the gateway itself."
    retry_after = 1


class NotYours(CallerError):
    """A session, task or state that this caller was not given at this gateway."""

    code = "not-yours"
    status = 404
    title = "Not one of yours"
    public = "That session, task or state is not one of yours at this gateway."
    remedy = "Begin a new session."


class NameNotYours(NotYours):
    """The same of a task or state, which a message names: the answer is one to that message.

    Attributes:
        body: the message; None where it was not held.
    """

    body: bytes | None = None
    remedy = "Ask anew."


class OthersLink(Forbidden):
    """A link by which somebody authorizes was opened by somebody else."""

    code = "others-link"
    title = "This link is for somebody else"
    public = "An application made this link for another account than the one that you are signed in with."
    remedy = "Sign out, sign in with the account that the application uses, and open the link again."


class ServerMoved(UpstreamError):
    """The server redirected within its origin, but the request was too large to be sent again."""

    code = "server-moved"
    status = 503
    title = "Send it again"
    public = "The MCP server sent this request to another of its URLs."
    remedy = "Send the request again; an administrator spares that by entering the other URL on the gateway."
    retry_after = 1


class TokenReplaced(UpstreamError):
    """The token was refused and renewed, but the request was too large to be sent again."""

    code = "token-replaced"
    status = 503
    title = "Send it again"
    public = "Your token has been renewed while this request was under way."
    remedy = "Send the request again; bodies up to PROXY_HELD_BYTES are repeated by the gateway itself."
    retry_after = 1
