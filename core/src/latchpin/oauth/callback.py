"""The authorization response (RFC 6749 section 4.1.2, RFC 9207): untrusted query to a value that may be exchanged.

``parse_callback`` reads the query; ``validate`` is the only maker of a ``ValidatedCallback``, and only
that can be turned into a token request. In between, the flow proves signature, browser, age, and takes
the pending authorization from the store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from latchpin.errors import (
    AuthorizationRefused,
    CallbackMalformed,
    GatewayMismatch,
    IssuerMismatch,
    RedirectMismatch,
)
from latchpin.errors.causes.callback import REDIRECT_MISMATCH
from latchpin.errors.causes.refusals import AUTHORIZATION, AUTHORIZATION_REFUSED
from latchpin.model import PendingAuthorization
from latchpin.oauth.state import StatePayload

__all__ = [
    "CallbackParameters",
    "ValidatedCallback",
    "build_posted",
    "build_refusal",
    "check_issuer",
    "parse_callback",
    "validate",
]

MAX_VALUE_LENGTH = 8192
MAX_PARAMETERS = 50
_BY_FRAGMENT = (
    "Start again with Authorize. If it repeats, the provider may answer in the URL's fragment, which no server sees: "
    "enter response_mode=query in the gateway's extra_authorize_params."
)
_CALLBACK = "/oauth/callback"
_KNOWN = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
_ERROR_TEXT = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class CallbackParameters:
    """The query of the callback, each parameter at most once. Nothing in here is proven."""

    state: str = field(repr=False)
    code: str | None = field(repr=False, default=None)
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None


@dataclass(frozen=True, slots=True)
class ValidatedCallback:
    """An authorization code that may be exchanged, with what was remembered for it."""

    code: str = field(repr=False)
    payload: StatePayload
    pending: PendingAuthorization


def parse_callback(query: str) -> CallbackParameters:
    """Read the callback's query, still percent-encoded.

    Raises:
        CallbackMalformed: it cannot be decoded, state is missing, one of the parameters is repeated or too long,
            or there is neither code nor error (or both).
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as exc:
        raise CallbackMalformed("the query cannot be decoded, or has too many parameters") from exc
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in _KNOWN:
            continue
        if name in values:
            raise CallbackMalformed(f"the parameter '{name}' was given twice")
        if len(value) > MAX_VALUE_LENGTH:
            raise CallbackMalformed(
                f"the parameter '{name}' has {len(value)} characters; the limit is {MAX_VALUE_LENGTH}"
            )
        values[name] = value
    if not query:
        raise CallbackMalformed("the query is empty, so the parameter 'state' is missing too", remedy=_BY_FRAGMENT)
    if not values.get("state"):
        raise CallbackMalformed("the parameter 'state' is missing")
    code, error = values.get("code") or None, values.get("error") or None
    if code is None and error is None:
        raise CallbackMalformed("the parameter 'code' is missing")
    if code is not None and error is not None:
        raise CallbackMalformed("both 'code' and 'error' were given")
    return CallbackParameters(
        state=values["state"],
        code=code,
        iss=values.get("iss"),
        error=error,
        error_description=values.get("error_description"),
    )


def validate(
    parameters: CallbackParameters,
    payload: StatePayload,
    pending: PendingAuthorization,
    *,
    path_gateway: str | None,
) -> ValidatedCallback:
    """Judge the answer against what was remembered: gateway, then issuer, then the provider's error.

    Raises:
        GatewayMismatch: the row's or the path's gateway is not the signed one.
        RedirectMismatch: the callback came to the path of the other form of redirect URI than the one that was sent.
        IssuerMismatch: RFC 9207; the error fields are then neither acted on nor shown.
        AuthorizationRefused: the provider answered with an error.
    """
    _check_gateway(payload, pending, path_gateway)
    _check_redirect(payload, pending, path_gateway)
    check_issuer(parameters.iss, pending.issuer, expected=pending.iss_expected)
    if parameters.error is not None:
        raise build_refusal(parameters)
    if parameters.code is None:  # parse_callback lets neither-nor not pass
        raise CallbackMalformed("the parameter 'code' is missing")
    return ValidatedCallback(code=parameters.code, payload=payload, pending=pending)


def _check_gateway(payload: StatePayload, pending: PendingAuthorization, path_gateway: str | None) -> None:
    if pending.key.gateway_id != payload.gateway_id:
        raise GatewayMismatch(f"signed for gateway {payload.gateway_id}, stored for gateway {pending.key.gateway_id}")
    if path_gateway is not None and path_gateway != payload.gateway_id:
        raise GatewayMismatch(f"signed for gateway {payload.gateway_id}, returned to the path of another gateway")


def _check_redirect(payload: StatePayload, pending: PendingAuthorization, path_gateway: str | None) -> None:
    """A gateway with a redirect URI of its own takes no answer at the common one, nor the other way round.

    Telling servers apart by their redirect URIs (RFC 9700 section 4.4.2.2) needs it. A redirect URI with another
    ending leads through somebody else's path, and is not judged.
    """
    own = f"{_CALLBACK}/{payload.gateway_id}"
    came = _CALLBACK if path_gateway is None else own
    asked = next((path for path in (own, _CALLBACK) if pending.redirect_uri.endswith(path)), came)
    if asked != came:
        raise RedirectMismatch(REDIRECT_MISMATCH.tell(asked=pending.redirect_uri, came=came))


def check_issuer(iss: str | None, issuer: str | None, *, expected: bool) -> None:
    """Compare the answer's ``iss`` with the issuer that was asked (RFC 9207 section 2.4).

    Args:
        iss: what the answer says.
        issuer: what was remembered; None: there is nothing to compare with.
        expected: whether the server promises to say it.

    Raises:
        IssuerMismatch: it names another issuer, or lacks what was promised.
    """
    if issuer is None:
        return
    if iss is None:
        if expected:
            raise IssuerMismatch(f"{issuer} promises 'iss' in its answers (RFC 9207), and this one has none")
        return
    if iss != issuer:
        raise IssuerMismatch(f"asked {issuer}, and the answer names another issuer")


def build_posted() -> CallbackMalformed:
    """Why an answer that was posted completes nothing (OAuth 2.0 Form Post Response Mode).

    The browser's cookie does not come with another site's form, so nothing could be proven.
    """
    return CallbackMalformed(
        "response_mode=form_post",
        public="The provider posted its answer as a form; this gateway reads it from the query only.",
        remedy="Enter response_mode=query in the gateway's extra_authorize_params, then start again with Authorize.",
    )


def build_refusal(parameters: CallbackParameters) -> AuthorizationRefused:
    """The provider's error in our own words; what it says itself is shown only if it is plain text."""
    code = parameters.error if parameters.error and _ERROR_TEXT.fullmatch(parameters.error) else "(unreadable)"
    said = parameters.error_description
    words = f" (it says: {said})" if said and _ERROR_TEXT.fullmatch(said) else ""
    cause = AUTHORIZATION.get(code, AUTHORIZATION_REFUSED)
    return AuthorizationRefused(error=code).explain_as(cause, code=code, words=words)
