"""The protocol, pure: untrusted input to values, values to requests. Nothing in here does I/O.

Requests: ``AuthorizationRequest`` and ``build_authorization_url`` make the URL that a browser is sent to (RFC 6749
section 4.1.1), ``S256`` makes the challenge of a code verifier (RFC 7636), ``choose_method`` chooses how a client
authenticates, ``hash_browser`` binds a state to a browser.

Callbacks: ``parse_callback`` reads the query into ``CallbackParameters``, ``check_issuer`` compares ``iss`` (RFC 9207),
``build_refusal`` makes the error for an answer that says no.

Documents: ``parse_object`` reads an answer as a JSON object, ``parse_url`` and ``parse_words`` read a member that
decides, ``Members`` those that need not, ``parse_server_metadata`` the metadata of an authorization server (RFC 8414),
whose ``source`` may be ``FROM_SETTINGS`` or ``FROM_DEFAULTS``.

Refusals: ``tell_status`` says an answer's status, ``plain_code`` and ``plain_words`` make a server's own words safe to
show, ``explain_code`` says which registered code is meant and what that means, ``choose_pause`` says how long to leave
a server alone. ``parse_challenge`` reads ``WWW-Authenticate`` into a ``Challenge`` (RFC 6750 section 3).

Profiles of servers: ``check_extra_parameters`` judges what is added to authorization requests, ``is_scope`` what is
asked for (RFC 6749 section 3.3). ``LONGEST_LIFETIME`` stands for a token that does not end.

JWTs that are shown to somebody else: ``read_claims``, ``read_expiry`` and ``type_of`` say what one says of itself,
unproven; it has at most ``LONGEST_ASSERTION`` characters. ``build_server_metadata_urls`` says where a server publishes
its metadata (RFC 8414). ``parse_token_document`` reads what a token endpoint answers or raises its refusal, and
``read_token`` takes the token out of it.

``base64url`` encodes without padding, and decodes (RFC 7515 section 2)::

    base64url.decode(base64url.encode(b"key")) == b"key"
"""

from typing import TYPE_CHECKING

from latchpin.lazily import finder
from latchpin.oauth import base64url

if TYPE_CHECKING:
    from latchpin.oauth.assertions import LONGEST_ASSERTION, read_claims, read_expiry, type_of
    from latchpin.oauth.authorize import AuthorizationRequest, build_authorization_url, check_extra_parameters
    from latchpin.oauth.callback import CallbackParameters, build_refusal, check_issuer, parse_callback
    from latchpin.oauth.challenge import Challenge, parse_challenge
    from latchpin.oauth.client_auth import choose_method
    from latchpin.oauth.discovery import FROM_DEFAULTS, FROM_SETTINGS, build_server_metadata_urls, parse_server_metadata
    from latchpin.oauth.documents import Members, parse_object, parse_url, parse_words, tell_status
    from latchpin.oauth.pauses import choose_pause
    from latchpin.oauth.pkce import S256
    from latchpin.oauth.refusal import explain_code, plain_code, plain_words
    from latchpin.oauth.scopes import is_scope
    from latchpin.oauth.state import hash_browser
    from latchpin.oauth.token_fields import LONGEST_LIFETIME
    from latchpin.oauth.token_reply import parse_token_document, read_token

__all__ = [
    "FROM_DEFAULTS",
    "FROM_SETTINGS",
    "LONGEST_ASSERTION",
    "LONGEST_LIFETIME",
    "AuthorizationRequest",
    "CallbackParameters",
    "S256",
    "Challenge",
    "Members",
    "base64url",
    "build_authorization_url",
    "build_refusal",
    "build_server_metadata_urls",
    "check_extra_parameters",
    "check_issuer",
    "choose_method",
    "choose_pause",
    "explain_code",
    "hash_browser",
    "is_scope",
    "parse_callback",
    "parse_challenge",
    "parse_object",
    "parse_server_metadata",
    "parse_token_document",
    "parse_url",
    "parse_words",
    "plain_code",
    "plain_words",
    "read_claims",
    "read_expiry",
    "read_token",
    "tell_status",
    "type_of",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.oauth.assertions": ("LONGEST_ASSERTION", "read_claims", "read_expiry", "type_of"),
        "latchpin.oauth.authorize": ("AuthorizationRequest", "build_authorization_url", "check_extra_parameters"),
        "latchpin.oauth.callback": ("CallbackParameters", "build_refusal", "check_issuer", "parse_callback"),
        "latchpin.oauth.challenge": ("Challenge", "parse_challenge"),
        "latchpin.oauth.client_auth": ("choose_method",),
        "latchpin.oauth.discovery": (
            "FROM_DEFAULTS",
            "FROM_SETTINGS",
            "build_server_metadata_urls",
            "parse_server_metadata",
        ),
        "latchpin.oauth.documents": ("Members", "parse_object", "parse_url", "parse_words", "tell_status"),
        "latchpin.oauth.pauses": ("choose_pause",),
        "latchpin.oauth.pkce": ("S256",),
        "latchpin.oauth.refusal": ("explain_code", "plain_code", "plain_words"),
        "latchpin.oauth.scopes": ("is_scope",),
        "latchpin.oauth.state": ("hash_browser",),
        "latchpin.oauth.token_fields": ("LONGEST_LIFETIME",),
        "latchpin.oauth.token_reply": ("parse_token_document", "read_token"),
    },
)
