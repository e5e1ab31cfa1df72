"""Every failure the gateway can name, as one tree.

    LatchpinError
    ├── CallerError                 the person or program that called us
    │   ├── NotSignedIn             401
    │   ├── Forbidden               403
    │   ├── CsrfRefused             403
    │   ├── NotFound                404
    │   ├── InvalidRequest          400
    │   ├── RequestTooLarge         413
    │   ├── Conflict                409
    │   ├── TooManyPending          429
    │   └── AuthorizationRequired   401   no usable token: authorize (again)
    ├── CallbackError               the callback of an authorization
    │   ├── CallbackMalformed       400
    │   ├── StateSignatureInvalid   400   damaged, tampered with, or signed by a secret we no longer have
    │   ├── BrowserChanged          403
    │   ├── UserChanged             403
    │   ├── StateRefused            400   the three facts below share one public text
    │   │   ├── StateNotFound
    │   │   ├── StateExpired
    │   │   └── StateAlreadyUsed
    │   ├── GatewayMismatch         400
    │   ├── IssuerMismatch          400
    │   ├── VerifierLost            503   the state was there, its PKCE verifier could not be unsealed
    │   └── AuthorizationRefused    403 access_denied, else 502
    ├── ProviderError               the authorization server or MCP server
    │   ├── ProviderUnreachable     502
    │   ├── ProviderTimeout         504
    │   ├── ProviderUnreadable      502
    │   ├── AddressRefused          502   an address we do not connect to
    │   ├── TokenRefused            502   the token endpoint said no
    │   │   └── AccessRefused       502   the MCP server did not take the token
    │   ├── DiscoveryFailed         502
    │   ├── PkceUnsupported         502
    │   └── RegistrationFailed      502
    ├── ConfigurationError          our own settings, plugins or gateway entries
    │   ├── SettingsError           stops the start
    │   ├── PluginError             stops the start
    │   ├── IssuerMissing           502   "No issuer configured"
    │   ├── StateStorageDisabled    503   CACHE_TYPE=none
    │   ├── Unsealable              503   sealed under a secret we no longer have
    │   └── WeakSecret              503   a default secret, and a request that is not plainly from this machine
    └── BackendError                the store
        ├── BackendUnavailable      503
        ├── SchemaOutdated          stops the start
        ├── StateConflict           a state that exists already was put again
        └── RecordConflict          a record changed, or exists, since it was read

Each carries five texts, kept apart because they have different readers: ``title`` (a heading),
``public`` (anybody), ``detail`` (the flow's own user: facts of this very flow), ``hint`` (the log) and
``remedy`` (whoever can act: one action). Secrets go into none of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

__all__ = [
    "AccessRefused",
    "AddressRefused",
    "AuthorizationRefused",
    "AuthorizationRequired",
    "BackendError",
    "BackendUnavailable",
    "BrowserChanged",
    "CallbackError",
    "CallbackMalformed",
    "CallerError",
    "ConfigurationError",
    "Conflict",
    "CsrfRefused",
    "DiscoveryFailed",
    "Forbidden",
    "GatewayMismatch",
    "InvalidRequest",
    "IssuerMismatch",
    "IssuerMissing",
    "LatchpinError",
    "NotFound",
    "NotSignedIn",
    "PkceUnsupported",
    "PluginError",
    "ProviderError",
    "ProviderTimeout",
    "ProviderUnreachable",
    "ProviderUnreadable",
    "RecordConflict",
    "RegistrationFailed",
    "RequestTooLarge",
    "SchemaOutdated",
    "SettingsError",
    "StateAlreadyUsed",
    "StateConflict",
    "StateExpired",
    "StateNotFound",
    "StateRefused",
    "StateSignatureInvalid",
    "StateStorageDisabled",
    "TokenRefused",
    "TooManyPending",
    "Unsealable",
    "UserChanged",
    "VerifierLost",
    "WeakSecret",
]


class LatchpinError(Exception):
    """The root of the tree.

    Class attributes are what is true of every such failure; the constructor takes what is true of this
    one. ``code`` is the stable slug: it names the cause in problem answers, logs and the docs. Whoever has
    written it to the log sets ``logged``, so that the web does not do it again, and ``flow_id`` where the
    failure belongs to a known flow.

    Args:
        detail: what happened, in one sentence, with this case's own facts.
        public: overrides the text that anybody may read.
        hint: what only the log is told.
        remedy: overrides the one action that mends it.
    """

    code: ClassVar[str] = "internal"
    status: int = 500
    title: ClassVar[str] = "Something went wrong"
    public: str = "The gateway could not do this."
    remedy: str = "Look for the flow id in the gateway's log."
    logged: bool = False
    flow_id: str | None = None

    def __init__(
        self,
        detail: str = "",
        *,
        public: str | None = None,
        hint: str = "",
        remedy: str | None = None,
    ) -> None:
        self.detail = detail
        self.hint = hint
        if public is not None:
            self.public = public
        if remedy is not None:
            self.remedy = remedy
        super().__init__(detail or self.public)


# -- the caller ---------------------------------------------------------------------------------------


class CallerError(LatchpinError):
    """The person or program that called us has to do something else."""


class NotSignedIn(CallerError):
    """No identity came with the request, or the one that came is not valid."""

    code = "not-signed-in"
    status = 401
    title = "Sign in first"
    public = "This needs a signed-in caller."
    remedy = "Send 'Authorization: Bearer <token>' (make one with: latchpin token create --email you@example.com)."


class Forbidden(CallerError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    title = "Not allowed"
    public = "Your account may not do this."
    remedy = "Ask an administrator (ADMIN_EMAILS names them)."


class CsrfRefused(CallerError):
    """A form came without the proof that our own page sent it."""

    code = "csrf-refused"
    status = 403
    title = "This form is not ours"
    public = "The request did not come from one of this gateway's own pages."
    remedy = "Reload the page and press the button again, or call with a Bearer token."


class NotFound(CallerError):
    """No such thing, or none that this caller may know of."""

    code = "not-found"
    status = 404
    title = "Not found"
    public = "There is nothing here for you."
    remedy = "Check the id; 'latchpin gateways list' shows the gateways."


class InvalidRequest(CallerError):
    """The request cannot be understood or makes no sense for this gateway."""

    code = "invalid-request"
    status = 400
    title = "The request is not valid"
    public = "The request is not valid."
    remedy = "Correct the named value and send it again."


class RequestTooLarge(CallerError):
    """Some part of the request is over its limit."""

    code = "request-too-large"
    status = 413
    title = "The request is too large"
    public = "The request is too large."
    remedy = "Send less; the detail names the limit."


class Conflict(CallerError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409
    title = "Somebody was faster, or the name is ambiguous"
    public = "The request contradicts what is stored."
    remedy = "Read the current state and try again."


class TooManyPending(CallerError):
    """Too many authorizations were begun and not finished."""

    code = "too-many-pending"
    status = 429
    title = "Too many unfinished authorizations"
    public = "Too many authorizations have been begun and not finished."
    remedy = "Finish one, or wait until they expire."
    retry_after: int = 60


class AuthorizationRequired(CallerError):
    """The caller has no usable token for this gateway.

    Args:
        authorize_url: where the caller's browser gets one.
        needs_reauth: there was a token, and the server no longer takes it.
    """

    code = "authorization-required"
    status = 401
    title = "Authorize first"
    public = "You have no usable token for this gateway."
    remedy = "Open authorize_url in a browser."

    def __init__(self, detail: str = "", *, authorize_url: str, needs_reauth: bool = False) -> None:
        super().__init__(detail)
        self.authorize_url = authorize_url
        self.needs_reauth = needs_reauth


# -- the callback -------------------------------------------------------------------------------------


class CallbackError(LatchpinError):
    """An authorization came back and cannot be completed.

    ``proven`` says whether signature and browser had been proven: before that, an answer may tell
    nothing that the store or the provider said.
    """

    status = 400
    proven: ClassVar[bool] = True
    remedy = "Start again with Authorize."


class CallbackMalformed(CallbackError):
    """A parameter is missing, repeated, too long, or not text we can read."""

    code = "callback-malformed"
    title = "The callback is incomplete"
    public = "The callback's parameters are missing, repeated or malformed."
    proven = False


class StateSignatureInvalid(CallbackError):
    """The state's signature does not hold: damaged, altered, or signed under another secret."""

    code = "state-signature"
    title = "This link was not made by this gateway"
    public = "Invalid state signature - possible CSRF attack"
    proven = False
    remedy = (
        "Start again with Authorize. If it happens to everybody: AUTH_ENCRYPTION_SECRET must be the same on "
        "every instance, and an earlier one belongs in AUTH_ENCRYPTION_SECRETS_OLD."
    )


class BrowserChanged(CallbackError):
    """The callback reached another browser than the one that began."""

    code = "browser-changed"
    status = 403
    title = "This browser did not start the authorization"
    public = "The authorization was started in another browser."
    proven = False
    remedy = "Start and finish in the same browser, with cookies allowed, at the gateway's own address."


class UserChanged(CallbackError):
    """Somebody else is signed in than the user who began."""

    code = "user-changed"
    status = 403
    title = "Another user is signed in"
    public = "The authorization was started by another user."
    proven = False
    remedy = "Sign in as the user who started, or start again."


class StateRefused(CallbackError):
    """The state is not usable; which of the three facts holds, the subclass says."""

    public = "Invalid or expired state parameter - possible replay attack"


class StateNotFound(StateRefused):
    """The store does not know the state."""

    code = "state-not-found"
    title = "The store does not know this authorization"
    remedy = (
        "Start again with Authorize. If it happens now and then: CACHE_TYPE=memory is not shared between "
        "workers; use database or redis."
    )


class StateExpired(StateRefused):
    """The callback came after the state's lifetime.

    Args:
        expired_at: when the lifetime ended.
    """

    code = "state-expired"
    title = "The authorization took too long"
    remedy = "Start again with Authorize; raise STATE_TTL_SECONDS if your identity provider is slow."

    def __init__(self, detail: str = "", *, expired_at: datetime) -> None:
        super().__init__(detail)
        self.expired_at = expired_at


class StateAlreadyUsed(StateRefused):
    """The state was consumed before.

    Args:
        used_at: when that was.
    """

    code = "state-used"
    title = "This authorization was already used"
    remedy = "Do not reload the callback page; if nothing is connected, start again with Authorize."

    def __init__(self, detail: str = "", *, used_at: datetime) -> None:
        super().__init__(detail)
        self.used_at = used_at


class GatewayMismatch(CallbackError):
    """State, stored row and callback path name different gateways."""

    code = "gateway-mismatch"
    title = "The callback belongs to another gateway"
    public = "State parameter gateway mismatch"
    remedy = "Check that the redirect URI registered at the provider is this gateway's own, then start again."


class IssuerMismatch(CallbackError):
    """The ``iss`` of the answer is not the remembered issuer, or is missing though promised (RFC 9207)."""

    code = "issuer-mismatch"
    title = "The answer came from another authorization server"
    public = "The answer's issuer is not the one that was asked."
    remedy = "Start again; if it repeats, check the gateway's issuer with: latchpin gateways show."


class VerifierLost(CallbackError):
    """The PKCE verifier kept with the state cannot be unsealed."""

    code = "verifier-lost"
    status = 503
    title = "The PKCE verifier cannot be read"
    public = "The PKCE code verifier kept with this authorization cannot be read."
    remedy = "Put the earlier secret into AUTH_ENCRYPTION_SECRETS_OLD, then start again with Authorize."


class AuthorizationRefused(CallbackError):
    """The authorization server answered with an error (RFC 6749 section 4.1.2.1).

    Args:
        error: the error code; one of ours or the server's, already checked to be plain text.
    """

    code = "authorization-refused"
    title = "The provider refused"
    public = "The provider refused the authorization."

    def __init__(self, detail: str = "", *, error: str, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.error = error
        self.status = 403 if error == "access_denied" else 502


# -- the provider -------------------------------------------------------------------------------------


class ProviderError(LatchpinError):
    """The authorization server or MCP server failed, refused, or answered what cannot be read."""

    status = 502
    remedy = "Try again; if it repeats, ask the server's operator."


class ProviderUnreachable(ProviderError):
    """No answer: name, connection, TLS, or an address we do not go to.

    Args:
        sent: whether any part of the request left, so that repeating it could do a thing twice.
    """

    code = "provider-unreachable"
    title = "The server cannot be reached"
    public = "The server could not be reached."

    def __init__(self, detail: str = "", *, sent: bool = False, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.sent = sent


class ProviderTimeout(ProviderUnreachable):
    """No whole answer within OAUTH_REQUEST_TIMEOUT."""

    code = "provider-timeout"
    status = 504
    title = "The server took too long"
    public = "The server did not answer in time."


class AddressRefused(ProviderUnreachable):
    """The URL leads to an address that the gateway does not connect to."""

    code = "address-refused"
    title = "That address is not allowed"
    public = "The server's address is not one this gateway connects to."
    remedy = "Use a public https URL, or set OAUTH_ALLOW_PRIVATE_NETWORKS=true where upstreams are private."


class ProviderUnreadable(ProviderError):
    """An answer came that is not what the protocol says: HTML, wrong types, too large, 5xx.

    Args:
        http_status: the answer's HTTP status, if it had one.
    """

    code = "provider-unreadable"
    title = "The server's answer cannot be read"
    public = "The server's answer is not what the protocol says."

    def __init__(self, detail: str = "", *, http_status: int | None = None, hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.http_status = http_status


class TokenRefused(ProviderError):
    """The token endpoint answered with an error (RFC 6749 section 5.2).

    Args:
        error: its error code, e.g. ``invalid_grant``.
    """

    code = "token-refused"
    title = "The provider refused the token request"
    public = "The provider refused the token request."

    def __init__(self, detail: str = "", *, error: str, hint: str = "", remedy: str | None = None) -> None:
        super().__init__(detail, hint=hint, remedy=remedy)
        self.error = error


class AccessRefused(TokenRefused):
    """The MCP server did not take the access token (RFC 6750 section 3.1).

    Args:
        error: ``invalid_token``, or ``insufficient_scope`` where another authorization with more scopes helps.
        scopes: what the server's challenge asks for, in order; empty if it does not say.
    """

    code = "access-refused"
    title = "The MCP server refused the token"
    public = "The MCP server did not accept the access token."
    remedy = "Authorize again; if it repeats, the server expects a token from elsewhere or for another resource."

    def __init__(self, detail: str = "", *, error: str, scopes: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(detail, error=error, hint=hint)
        self.scopes = scopes


class DiscoveryFailed(ProviderError):
    """No usable metadata was found (RFC 8414, RFC 9728)."""

    code = "discovery-failed"
    title = "Metadata discovery failed"
    public = "Metadata discovery failed"
    remedy = "Check the issuer and that its metadata URL answers, or enter authorization_url and token_url by hand."


class PkceUnsupported(ProviderError):
    """The authorization server does not say that it supports PKCE with S256."""

    code = "pkce-unsupported"
    title = "The provider does not offer PKCE with S256"
    public = "The authorization server does not offer PKCE with S256."
    remedy = "If it is known to support S256 without saying so, set assume_pkce on the gateway."


class RegistrationFailed(ProviderError):
    """Dynamic Client Registration was refused or is not offered (RFC 7591)."""

    code = "dcr-failed"
    title = "DCR failed"
    public = "DCR failed"
    remedy = "Register a client by hand and enter its client_id (and client_secret) on the gateway."


# -- ourselves ----------------------------------------------------------------------------------------


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


# -- the store ----------------------------------------------------------------------------------------


class BackendError(LatchpinError):
    """A store could not do its work."""


class BackendUnavailable(BackendError):
    """The store cannot be reached or does not answer; nothing is known to have happened."""

    code = "store-unavailable"
    status = 503
    title = "The store is not reachable"
    public = "The gateway's store is not reachable at the moment."
    remedy = "Try again in a moment; operators: see /ready and the log."
    retry_after: int = 2


class SchemaOutdated(BackendError):
    """The database schema is not the one this version works with; stops the start."""

    code = "schema-outdated"
    status = 503
    title = "The database schema is not up to date"
    public = "The database schema is not up to date."
    remedy = "Run: latchpin db upgrade"


class StateConflict(BackendError):
    """A state was put that exists already: the random source is broken, or a caller put twice."""

    code = "state-conflict"
    title = "That state exists already"


class RecordConflict(BackendError):
    """A record was changed, deleted or created by somebody else since it was read."""

    code = "record-conflict"
    status = 409
    title = "The record changed meanwhile"
    public = "The record was changed by somebody else meanwhile."
    remedy = "Read it again and repeat the change."
