"""Token endpoints' answers, good, odd and hostile."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin.errors import TokenRefused, UpstreamUnreadable
from latchpin.model import Reply
from latchpin.oauth.refusal import plain_code, plain_words
from latchpin.oauth.token_fields import (
    LONGEST_LIFETIME,
    read_id_token,
    read_lifetime,
    read_refresh_lifetime,
    read_scopes,
    read_subject,
)
from latchpin.oauth.token_reply import parse_token_reply

NOW = datetime(2030, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = {"access_token": "at", "token_type": "Bearer"}


def reply(body, status=200, kind="application/json"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply("https://as.example/token", status, {"content-type": kind}, raw)


def parse(body, status=200, kind="application/json", **more):
    return parse_token_reply(reply(body, status, kind), now=NOW, default_lifetime=HOUR, **more)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://as.example/token/?key=hidden", "HTTP 307, a redirect to 'https://as.example/token/', with nothing"),
        ("/token/", "HTTP 307, a redirect to '/token/', with nothing"),
        ("", "HTTP 307, with nothing"),
    ],
)
def test_a_redirect_names_its_target(location, said):
    answer = Reply("https://as.example/token", 307, {"location": location}, b"")
    with pytest.raises(UpstreamUnreadable) as caught:
        parse_token_reply(answer, now=NOW, default_lifetime=HOUR)
    assert said in caught.value.detail
    assert "hidden" not in caught.value.detail


# -- grants -------------------------------------------------------------------------------------------


def test_a_full_grant():
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "user-1"}).encode()).decode().rstrip("=")
    document = {
        **GOOD,
        "token_type": "bEaReR",
        "expires_in": 60,
        "refresh_token": "rt with blank",
        "scope": "a b",
        "id_token": f"e30.{payload}.sig",
    }
    grant = parse(document)
    assert grant.access_token == "at"
    assert grant.token_type == "Bearer"
    assert grant.expires_at == NOW + timedelta(seconds=60)
    assert (grant.refresh_token, grant.scopes, grant.subject) == ("rt with blank", ("a", "b"), "user-1")
    assert "at" not in repr(grant).replace("datetime", "").replace("expires_at", "")


def test_a_bare_grant():
    grant = parse({"access_token": "at", "refresh_token": "", "scope": None})
    assert (grant.token_type, grant.refresh_token, grant.scopes, grant.subject) == ("Bearer", None, None, None)
    assert grant.expires_at == NOW + HOUR


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded; charset=utf-8", "text/plain"])
def test_form_encoding(kind):
    body = urlencode({"access_token": "gho_1", "scope": "repo,gist", "token_type": "bearer", "expires_in": "28800"})
    grant = parse(body.encode(), kind=kind)
    assert (grant.access_token, grant.scopes) == ("gho_1", ("repo", "gist"))
    assert grant.expires_at == NOW + timedelta(hours=8)


def test_json_is_read_whatever_the_server_calls_it():
    assert parse(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), kind="text/plain").access_token == "at"
    assert parse(json.dumps(GOOD).encode(), kind="text/html").access_token == "at"


def test_slacks_nesting():
    bot = {"ok": True, "access_token": "xoxb", "token_type": "bot", "authed_user": {"id": "U1"}}
    assert parse(bot).access_token == "xoxb"
    user = {"ok": True, "authed_user": {"access_token": "xoxp", "token_type": "user", "scope": "a,b"}}
    assert (parse(user).access_token, parse(user).scopes) == ("xoxp", ("a", "b"))
    with pytest.raises(UpstreamUnreadable, match="without an access_token"):
        parse({"ok": True, "authed_user": "nobody"})


# -- unreadable ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>Welcome</html>", "a web page"),
        (b"", "nothing"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b"null", "not an object"),
        (b"{", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b'{"access_token": NaN}', "not JSON"),
        (b'{"a":' * 50_000, "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"expires_in": ' + b"9" * 5000 + b"}", "not JSON"),
        (b" " * (256 * 1024 + 1), "256 kB"),
        ({}, "without an access_token"),
        ({"access_token": None}, "without an access_token"),
        ({"access_token": ""}, "without an access_token"),
        ({"access_token": 7}, "not text"),
        ({"access_token": ["at"]}, "not text"),
        ({"access_token": "a\nb"}, "no token may have"),
        ({"access_token": "a b"}, "no token may have"),
        ({"access_token": "\x00"}, "no token may have"),
        ({"access_token": "ü"}, "no token may have"),
        ({"access_token": "a\ud800"}, "no token may have"),
        ({"access_token": "a\n"}, "no token may have"),
        ({"access_token": "x" * (32 * 1024 + 1)}, "32 kB"),
        ({**GOOD, "token_type": "DPoP"}, "other than Bearer .'DPoP'"),
        ({**GOOD, "token_type": "mac<script>"}, "other than Bearer"),
        ({**GOOD, "token_type": 1}, "other than Bearer"),
        ({**GOOD, "token_type": []}, "other than Bearer"),
        ({**GOOD, "token_type": False}, "other than Bearer"),
        ({**GOOD, "token_type": "bearer mac"}, "other than Bearer"),
        ({**GOOD, "token_type": "N_A"}, "other than Bearer"),
    ],
)
def test_what_is_not_a_grant_is_unreadable(body, why):
    with pytest.raises(UpstreamUnreadable, match=why) as caught:
        parse(body)
    assert caught.value.http_status == 200
    assert "as.example" in caught.value.detail
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize(
    ("refresh_token", "why"),
    [
        (1, "that is not text"),  # servers say "none" in many ways, and the code is spent
        (["rt"], "that is not text"),
        ({"a": 1}, "that is not text"),
        (True, "that is not text"),
        ("r\r\nX: y", "with characters that no token may have"),
        ("r" * (32 * 1024 + 1), "of more than 32 kB"),
    ],
)
def test_a_refresh_token_that_is_none_is_passed_over_with_a_word(refresh_token, why):
    grant = parse({**GOOD, "refresh_token": refresh_token})
    assert (grant.access_token, grant.refresh_token) == ("at", None)
    assert grant.passed_over == (f"a refresh_token {why}",)


@pytest.mark.parametrize("refresh_token", [None, "", False, 0, []])
def test_no_refresh_token_is_nothing_to_speak_of(refresh_token):
    grant = parse({**GOOD, "refresh_token": refresh_token})
    assert (grant.refresh_token, grant.passed_over) == (None, ())


@pytest.mark.parametrize(
    "said",
    [None, "", " ", "Bearer", "BEARER", " bearer ", "Bearer token", "bearer_token", "BearerToken", "user", "bot"],
)
def test_there_are_many_ways_to_write_bearer(said):
    assert parse({**GOOD, "token_type": said}).token_type == "Bearer"


@pytest.mark.parametrize(
    ("said", "kind"), [("DPoP", "DPoP"), ("dpop ", "DPoP"), ("bearer", "Bearer"), (None, "Bearer")]
)
def test_where_a_proof_was_sent_a_token_may_be_bound(said, kind):
    assert parse({**GOOD, "token_type": said}, bound=True).token_type == kind


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"access_token=a&access_token=b", "twice"),
        (b"access_token=a&x", "not JSON"),
        (b"access_token=\xff", "not JSON"),
        (b"access_token=a%0Ab", "no token may have"),
        (b"&".join(b"a%d=1" % n for n in range(200)), "not JSON"),
        (b"hello", "not JSON"),
    ],
)
def test_a_form_is_read_as_strictly(body, why):
    with pytest.raises(UpstreamUnreadable, match=why):
        parse(body, kind="application/x-www-form-urlencoded")


@pytest.mark.parametrize("status", [500, 502, 503, 599, 429])
@pytest.mark.parametrize("body", [b"<html>", b"", {"error": "invalid_grant"}, GOOD])
def test_a_server_in_trouble_says_nothing_about_the_grant(status, body):
    with pytest.raises(UpstreamUnreadable) as caught:
        parse(body, status=status)
    assert caught.value.http_status == status


def test_a_server_in_trouble_is_quoted():
    with pytest.raises(UpstreamUnreadable, match="'temporarily_unavailable': it is overloaded"):
        parse({"error": "temporarily_unavailable"}, status=503)


@pytest.mark.parametrize("status", [302, 400, 401, 404])
def test_a_status_without_a_word_is_unreadable(status):
    for body in (b"<html>", GOOD):
        with pytest.raises(UpstreamUnreadable) as caught:
            parse(body, status=status)
        assert caught.value.http_status == status


# -- refusals -----------------------------------------------------------------------------------------

RFC_CODES = [
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "invalid_scope",
    "invalid_request",
    "unsupported_grant_type",
    "invalid_target",
]


@pytest.mark.parametrize("code", RFC_CODES)
def test_each_registered_code_has_a_meaning_and_a_remedy_of_its_own(code):
    refusals = {}
    for one in [*RFC_CODES, "something_new"]:
        with pytest.raises(TokenRefused) as caught:
            parse({"error": one}, status=400)
        refusals[one] = caught.value
    mine = refusals.pop(code)
    assert mine.error == code
    assert mine.remedy not in {other.remedy for other in refusals.values()}
    assert f"'{code}': " in mine.detail
    assert "this gateway does not know" not in mine.detail


def test_a_refusal_may_come_with_200_and_a_code_of_the_servers_own():
    body = b"error=bad_verification_code&error_description=The+code+passed+is+incorrect&error_uri=https%3A%2F%2Fx"
    with pytest.raises(TokenRefused) as caught:
        parse(body, kind="application/x-www-form-urlencoded")
    assert caught.value.error == "invalid_grant"
    assert "'bad_verification_code'" in caught.value.detail
    assert 'It adds: "The code passed is incorrect"' in caught.value.detail
    with pytest.raises(TokenRefused) as caught:
        parse({"ok": False, "error": "invalid_client_id"})
    assert caught.value.error == "invalid_client"


def test_an_unknown_code_is_only_plain_text():
    with pytest.raises(TokenRefused) as caught:
        parse(
            {"error": 'x"<b>\\\n\x1b[31mé' + "y" * 500, "error_description": "a\r\nb\x1b]0;c\x07 \u202ed"}, status=400
        )
    assert caught.value.error == ("x<b>[31m" + "y" * 500)[:64]
    assert caught.value.detail.isprintable()
    assert caught.value.detail.isascii()
    assert 'It adds: "a b ]0;c d"' in caught.value.detail


@pytest.mark.parametrize("error", [{"code": 1}, 7, True, ["x"], "\n", "é"])
def test_an_error_that_is_no_code_is_still_a_refusal(error):
    with pytest.raises(TokenRefused) as caught:
        parse({"error": error, "error_description": {"a": 1}}, status=400)
    assert caught.value.error == "unnamed_error"
    assert "It adds" not in caught.value.detail


def test_what_was_sent_never_comes_back():
    opaque = "Zx9" * 20
    text = f"code SplxlOB is bad, so is {opaque}, and a"
    with pytest.raises(TokenRefused) as caught:
        parse({"error": "invalid_grant", "error_description": text}, status=400, hidden=("SplxlOB", "a", ""))
    assert 'It adds: "code (hidden) is bad, so is (hidden), and a"' in caught.value.detail
    assert caught.value.hint == ""


def test_words_are_cut():
    assert len(plain_words("ab " * 1000)) <= 300
    assert plain_code("x" * 100) == "x" * 64


# -- fields -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3600, 3600),
        (1, 1),
        ("7200", 7200),
        (" 60 ", 60),
        (59.9, 59),
        ("59.9", 59),
        (10**30, None),
        ("9" * 18, None),
        (float("inf"), None),
        (1e300, None),
    ],
)
def test_lifetimes(value, expected):
    assert read_lifetime(value, HOUR) == (LONGEST_LIFETIME if expected is None else timedelta(seconds=expected))


@pytest.mark.parametrize(
    "value", [None, 0, -1, -(10**30), 0.2, True, False, "", "soon", "-5", "1e9", "٣", "9" * 30, [], {}, float("-inf")]
)
def test_a_lifetime_that_is_none_is_the_default(value):
    assert read_lifetime(value, HOUR) == HOUR


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"refresh_token_expires_in": 15897600}, 15897600),
        ({"refresh_expires_in": "1800"}, 1800),
        ({"refresh_expires_in": 0}, None),
        ({"refresh_token_expires_in": True, "refresh_expires_in": 60}, 60),
        ({"refresh_token_expires_in": 10**12}, None),
    ],
)
def test_a_server_may_say_how_long_its_refresh_token_is_good(said, expected):
    assert read_refresh_lifetime(said) == (None if expected is None else timedelta(seconds=expected))
    end = None if expected is None else NOW + timedelta(seconds=expected)
    assert parse(GOOD | {"refresh_token": "rt"} | said).refresh_ends_at == end
    assert parse(GOOD | said).refresh_ends_at is None, "there is none"


def test_an_enormous_lifetime_in_json_does_not_overflow():
    body = b'{"access_token": "a", "expires_in": 1e999}'
    assert parse(body).expires_at == NOW + LONGEST_LIFETIME


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (7, None),
        ({}, None),
        ("", ()),
        ("  ", ()),
        ("a", ("a",)),
        (" a  b\ta ", ("a", "b")),
        ("a,b,", ("a", "b")),
        ("a,b c", ("a,b", "c")),
        (["a", 1, None, "b"], ("a", "b")),
        ('ok "quoted" b\\ad <i>', ("ok", "<i>")),
        (" ".join(f"s{n}" for n in range(1000)), tuple(f"s{n}" for n in range(500))),
    ],
)
def test_scopes(value, expected):
    assert read_scopes(value) == expected


def id_token(claims) -> str:
    raw = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return "e30." + base64.urlsafe_b64encode(raw).decode().rstrip("=") + ".c2ln"


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "a.b",
        "a.b.c.d",
        "h.é.s",
        "h.A.s",
        id_token(b"\xff"),
        id_token(b"[" * 20_000),
        id_token([1]),
        id_token({}),
        id_token({"sub": 5}),
        id_token({"sub": ""}),
        id_token({"sub": "a\nb"}),
        id_token({"sub": "x" * 256}),
        id_token({"sub": "x", "pad": "y" * 40_000}),
    ],
)
def test_an_id_token_that_cannot_be_read_names_nobody(value):
    assert read_subject(value) is None


@pytest.mark.parametrize("value", ["\ud800.b.c", "ä.b.c"])
def test_what_no_jwt_can_be_made_of_is_no_id_token(value):
    assert read_id_token(value) is None


def test_the_subject_of_an_id_token():
    assert read_subject(id_token({"sub": "248289761001"})) == "248289761001"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)
KEYS = st.sampled_from(
    ["access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token", "error", "ok", "authed_user"]
)


@given(st.dictionaries(KEYS, JSON), st.integers(100, 599))
def test_no_answer_makes_it_fail_otherwise(document, status):
    try:
        grant = parse(document, status=status)
    except (UpstreamUnreadable, TokenRefused) as exc:
        assert str(exc).isprintable()  # noqa: PT017  either outcome is right
    else:
        assert grant.access_token
        assert NOW < grant.expires_at <= NOW + LONGEST_LIFETIME


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/x-www-form-urlencoded"]))
def test_no_bytes_make_it_fail_otherwise(body, kind):
    with pytest.raises((UpstreamUnreadable, TokenRefused)):
        parse(body, kind=kind)
