"""The callback's answer: read strictly, judged in the contract's order, and only then exchangeable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from latchpin.errors import AuthorizationRefused, CallbackMalformed, GatewayMismatch, IssuerMismatch, RedirectMismatch
from latchpin.model import PendingAuthorization, Sealed, StateKey
from latchpin.oauth.callback import CallbackParameters, build_posted, parse_callback, validate
from latchpin.oauth.state import StatePayload

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAYLOAD = StatePayload("g1", "ann@example.com", "n", NOW.isoformat(), "b", "k", "i", "f")
PENDING = PendingAuthorization(
    id="f",
    key=StateKey("g1", "s.t"),
    code_verifier=Sealed("v1.k.x"),
    app_user_email="ann@example.com",
    redirect_uri="http://localhost:4444/oauth/callback",
    issuer="https://as.example",
    iss_expected=False,
    token_url="https://as.example/token",
    client_id="c",
    resource=None,
    scopes=(),
    created_at=NOW,
    expires_at=NOW + timedelta(seconds=300),
)
GOOD = CallbackParameters(state="s.t", code="the-code", iss="https://as.example")


def test_a_complete_callback_is_read_and_unknown_parameters_are_left_alone():
    query = [("code", "c"), ("state", "s"), ("session_state", "x"), ("session_state", "y"), ("iss", "i")]
    assert parse_callback(urlencode(query)) == CallbackParameters(state="s", code="c", iss="i")


def test_an_error_callback_is_read():
    query = [("error", "access_denied"), ("error_description", "no"), ("state", "s")]
    assert parse_callback(urlencode(query)) == CallbackParameters(
        state="s", error="access_denied", error_description="no"
    )


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ([], "'state' is missing"),
        ([("code", "c")], "'state' is missing"),
        ([("code", "c"), ("state", "")], "'state' is missing"),
        ([("state", "s")], "'code' is missing"),
        ([("state", "s"), ("code", "")], "'code' is missing"),
        ([("state", "s"), ("code", "c"), ("code", "d")], "'code' was given twice"),
        ([("state", "s"), ("state", "s"), ("code", "c")], "'state' was given twice"),
        ([("state", "s"), ("code", "c"), ("error", "e")], "both"),
        ([("state", "s"), ("code", "c" * 9000)], "9000 characters"),
        ([("state", "s"), ("code", "c"), *[(f"p{n}", "x") for n in range(60)]], "too many"),
    ],
)
def test_a_malformed_callback_says_what_is_wrong_with_it(query, says):
    with pytest.raises(CallbackMalformed, match=says):
        parse_callback(urlencode(query))


def test_secrets_do_not_show_in_what_is_printed():
    shown = repr(GOOD) + repr(validate(GOOD, PAYLOAD, PENDING, path_gateway=None))
    assert "the-code" not in shown


OWN = replace(PENDING, redirect_uri=f"{PENDING.redirect_uri}/g1")
FOREIGN = replace(PENDING, redirect_uri="https://front.example/back")


@pytest.mark.parametrize(("pending", "path"), [(PENDING, None), (OWN, "g1"), (FOREIGN, None), (FOREIGN, "g1")])
def test_a_good_answer_is_validated_at_the_redirect_uri_that_was_sent(pending, path):
    assert validate(GOOD, PAYLOAD, pending, path_gateway=path).pending is pending


@pytest.mark.parametrize(("pending", "path"), [(PENDING, "g1"), (OWN, None)])
def test_an_answer_at_the_other_redirect_uri_is_refused(pending, path):
    with pytest.raises(RedirectMismatch, match=f"{pending.redirect_uri} was asked for"):
        validate(GOOD, PAYLOAD, pending, path_gateway=path)


def test_another_gateway_in_the_row_or_the_path_is_a_mismatch():
    with pytest.raises(GatewayMismatch, match="stored for gateway g2"):
        validate(GOOD, PAYLOAD, replace(PENDING, key=StateKey("g2", "s.t")), path_gateway=None)
    with pytest.raises(GatewayMismatch, match="path of another"):
        validate(GOOD, PAYLOAD, PENDING, path_gateway="g2")


@pytest.mark.parametrize(
    ("iss", "remembered", "promised", "accepted"),
    [
        ("https://as.example", "https://as.example", True, True),
        ("https://as.example", "https://as.example", False, True),
        ("https://evil.example", "https://as.example", True, False),
        ("https://evil.example", "https://as.example", False, False),
        ("https://as.example/", "https://as.example", False, False),  # plain comparison, no normalisation
        (None, "https://as.example", True, False),
        (None, "https://as.example", False, True),
        ("https://any.example", None, False, True),  # nothing remembered: ignored
    ],
)
@pytest.mark.parametrize("refused", [False, True], ids=["a code", "an error"])
def test_iss_is_compared_with_the_remembered_issuer(iss, remembered, promised, accepted, refused):
    pending = replace(PENDING, issuer=remembered, iss_expected=promised)
    answer = replace(GOOD, iss=iss, code=None, error="access_denied") if refused else replace(GOOD, iss=iss)
    if accepted and not refused:
        assert validate(answer, PAYLOAD, pending, path_gateway=None).code == "the-code"
        return
    with pytest.raises(AuthorizationRefused if accepted else IssuerMismatch) as caught:
        validate(answer, PAYLOAD, pending, path_gateway=None)
    assert ("access_denied" in str(caught.value)) is accepted


def test_on_an_issuer_mismatch_the_error_fields_are_neither_acted_on_nor_shown():
    answer = CallbackParameters(
        state="s.t", error="access_denied", error_description="pay me", iss="https://evil.example"
    )
    with pytest.raises(IssuerMismatch) as caught:
        validate(answer, PAYLOAD, PENDING, path_gateway=None)
    assert "pay me" not in str(caught.value)
    assert "evil" not in str(caught.value)


def refusal(error: str, description: str | None = None) -> AuthorizationRefused:
    answer = CallbackParameters(state="s.t", error=error, error_description=description)
    with pytest.raises(AuthorizationRefused) as caught:
        validate(answer, PAYLOAD, PENDING, path_gateway=None)
    return caught.value


def test_access_denied_is_403_and_other_errors_are_502():
    assert refusal("access_denied").status == 403
    assert refusal("server_error").status == 502
    assert refusal("something_else").status == 502


def test_known_errors_are_explained_in_our_words_and_the_providers_words_follow():
    error = refusal("invalid_scope", "no such scope: mcp")
    assert "scope" in error.detail
    assert "no such scope: mcp" in error.detail
    assert "scopes" in error.remedy


def test_unreadable_errors_are_not_echoed():
    error = refusal("<script>\x00", "line\nbreak")
    assert "script" not in error.detail
    assert "break" not in error.detail


def test_only_what_has_a_code_is_validated():
    with pytest.raises(CallbackMalformed):
        validate(CallbackParameters(state="s.t"), PAYLOAD, PENDING, path_gateway=None)


@pytest.mark.parametrize("query", ["state=%ff&code=c", "state=s&code=%c3%28"])
def test_a_query_that_is_not_utf_8_is_malformed(query):
    with pytest.raises(CallbackMalformed, match="decoded"):
        parse_callback(query)


def test_why_a_posted_answer_completes_nothing_is_said():
    assert "response_mode=form_post" in build_posted().detail
    assert "posted its answer" in build_posted().public
