"""The provider's answer in the browser's query: read, and its code taken if it is the right provider's. No I/O."""

from __future__ import annotations

from latchpin.errors import CallbackError
from latchpin.sdk.oauth import CallbackParameters, build_refusal, check_issuer, parse_callback

from latchpin_oidc_login.errors import AnswerForeign, SignInRefused, StateInvalid
from latchpin_oidc_login.metadata import OpenIdProvider

__all__ = ["parse_answer", "read_code"]


def parse_answer(query: str) -> CallbackParameters:
    """Read the query, still percent-encoded. Nothing in it is proven.

    Raises:
        StateInvalid: it is incomplete or malformed.
    """
    try:
        return parse_callback(query)
    except CallbackError as exc:
        raise StateInvalid(exc.detail) from exc


def read_code(parameters: CallbackParameters, provider: OpenIdProvider) -> str:
    """The code, if the answer is from the provider that was asked, and says yes.

    Raises:
        AnswerForeign: it names another issuer; its error is then neither acted on nor shown.
        SignInRefused: it is an error.
    """
    try:
        check_issuer(parameters.iss, provider.issuer, expected=provider.server.iss_parameter_supported)
    except CallbackError as exc:
        raise AnswerForeign(exc.detail) from exc
    if parameters.code is None:
        refusal = build_refusal(parameters)
        error = SignInRefused(refusal.detail)
        error.status = refusal.status
        raise error
    return parameters.code
