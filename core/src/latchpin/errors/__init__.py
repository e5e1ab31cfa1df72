"""Every failure the gateway can name, as one tree.

    LatchpinError
    ├── CallerError                 the person or program that called us
    │   ├── NotSignedIn             401
    │   ├── SignInFailed            403   at another server
    │   ├── Forbidden               403
    │   ├── CsrfRefused             403
    │   ├── NotFound                404
    │   ├── InvalidRequest          400
    │   │   └── KeyRefused          400
    │   ├── RequestTooLarge         413
    │   ├── Conflict                409
    │   ├── TooManyPending          429
    │   ├── AuthorizationRequired   401   no usable token: authorize (again)
    │   │   └── SharedConnectionUnconfirmed 403   an administrator has to say that all are to use it
    │   ├── SharedConnectionMissing 403   no usable token, and an administrator has to authorize
    │   └── IdentityAssertionRequired 401 no usable token: the identity provider has to vouch (again)
    ├── CallbackError               the callback of an authorization
    │   ├── CallbackMalformed       400
    │   ├── StateSignatureInvalid   400   damaged, tampered with, or signed by a secret we no longer have
    │   ├── BrowserChanged          403
    │   ├── UserChanged             403
    │   ├── StateRefused            400   the three facts below share one public text
    │   │   ├── StateNotFound
    │   │   ├── StateExpired
    │   │   └── StateAlreadyUsed
    │   ├── ClockSkew               400
    │   ├── GatewayMismatch         400
    │   ├── RedirectMismatch        400
    │   ├── IssuerMismatch          400
    │   ├── VerifierLost            503   the state was there, its PKCE verifier could not be unsealed
    │   └── AuthorizationRefused    403 access_denied, else 502
    ├── UpstreamError               the authorization server or MCP server
    │   ├── UpstreamUnreachable     502
    │   ├── UpstreamTimeout         504
    │   ├── UpstreamUnreadable      502
    │   │   └── UpstreamBusy        503   it asks us to wait
    │   ├── AddressRefused          502   an address we do not connect to
    │   ├── TokenRefused            502   the token endpoint said no
    │   │   └── AccessRefused       502   the MCP server did not take the token
    │   ├── DiscoveryFailed         502
    │   ├── PkceUnsupported         502
    │   └── RegistrationFailed      502
    │       ├── RegistrationUnsupported   the server offers none
    │       └── RegistrationRefused       the server said no
    ├── ConfigurationError          our own settings, plugins or gateway entries
    │   ├── SettingsError           stops the start
    │   ├── PluginError             stops the start
    │   ├── IssuerMissing           502   "No issuer configured"
    │   ├── ScopesBeyondCeiling     502   nothing that may be asked for
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
``remedy`` (whoever can act: one action). Secrets go into none of them. What is true of every such failure is its
``Cause``; ``known_causes`` has them all.
"""

from collections.abc import Iterator

from latchpin.errors.backend import (
    BackendError,
    BackendUnavailable,
    RecordConflict,
    SchemaOutdated,
    StateConflict,
)
from latchpin.errors.callback import (
    AuthorizationRefused,
    BrowserChanged,
    CallbackError,
    CallbackMalformed,
    ClockSkew,
    GatewayMismatch,
    IssuerMismatch,
    RedirectMismatch,
    StateAlreadyUsed,
    StateExpired,
    StateNotFound,
    StateRefused,
    StateSignatureInvalid,
    UserChanged,
    VerifierLost,
)
from latchpin.errors.caller import (
    AuthorizationRequired,
    CallerError,
    Conflict,
    CsrfRefused,
    Forbidden,
    IdentityAssertionRequired,
    InvalidRequest,
    KeyRefused,
    NotFound,
    NotSignedIn,
    RequestTooLarge,
    SharedConnectionMissing,
    SharedConnectionUnconfirmed,
    SignInFailed,
    TooManyPending,
)
from latchpin.errors.causes import CAUSES, Cause
from latchpin.errors.configuration import (
    ConfigurationError,
    IssuerMissing,
    PluginError,
    ScopesBeyondCeiling,
    SettingsError,
    StateStorageDisabled,
    Unsealable,
    WeakSecret,
)
from latchpin.errors.root import (
    LatchpinError,
)
from latchpin.errors.upstream import (
    AccessRefused,
    AddressRefused,
    DiscoveryFailed,
    PkceUnsupported,
    RegistrationFailed,
    RegistrationRefused,
    RegistrationUnsupported,
    TokenRefused,
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
    UpstreamUnreadable,
)

__all__ = [
    "Cause",
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
    "ClockSkew",
    "ConfigurationError",
    "Conflict",
    "CsrfRefused",
    "DiscoveryFailed",
    "Forbidden",
    "GatewayMismatch",
    "IdentityAssertionRequired",
    "InvalidRequest",
    "KeyRefused",
    "IssuerMismatch",
    "IssuerMissing",
    "LatchpinError",
    "NotFound",
    "NotSignedIn",
    "PkceUnsupported",
    "PluginError",
    "UpstreamBusy",
    "UpstreamError",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "UpstreamUnreadable",
    "RecordConflict",
    "RedirectMismatch",
    "RegistrationFailed",
    "RegistrationRefused",
    "RegistrationUnsupported",
    "RequestTooLarge",
    "SharedConnectionMissing",
    "SharedConnectionUnconfirmed",
    "SchemaOutdated",
    "ScopesBeyondCeiling",
    "SettingsError",
    "SignInFailed",
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
    "known_causes",
]


def known_causes() -> dict[str, Cause]:
    """Every cause by its slug: the catalogue's, and those of the plugins that are loaded."""
    return {**{kind.cause.slug: kind.cause for kind in _kinds(LatchpinError)}, **CAUSES}


def _kinds(root: type[LatchpinError]) -> Iterator[type[LatchpinError]]:
    yield root
    for child in root.__subclasses__():
        yield from _kinds(child)
