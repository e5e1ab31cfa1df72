"""Redirects and cookies that are written here say what the framework's would."""

from types import SimpleNamespace

import pytest
from fastapi.responses import RedirectResponse, Response
from latchpin.web import cookies
from latchpin.web.targets import lead_to

AS_WRITTEN = "https://as.example.com:8443/authorize?a=b%20c&state=x.y-z_~&scope=mcp%3Aread+b#top"


@pytest.mark.parametrize(
    "url",
    [
        AS_WRITTEN,
        "/flows?of=a@example.com",
        "http://[::1]:4444/x",
        "https://as.example.com/a b",
        'https://as.example.com/"<>',
        "https://as.example.com/\N{LATIN SMALL LETTER E WITH ACUTE}?q=\N{SNOWMAN}",
        "https://as.example.com/\r\nset-cookie: a=b",
        "",
    ],
)
@pytest.mark.parametrize("status", [302, 303])
def test_a_redirect_leads_where_the_frameworks_would(url, status):
    ours, theirs = lead_to(url, status), RedirectResponse(url, status)
    assert ours.status_code == theirs.status_code == status
    assert sorted(ours.raw_headers) == sorted(theirs.raw_headers)


def test_what_is_written_already_is_not_quoted_again():
    assert type(lead_to(AS_WRITTEN, 302)) is Response


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize(("value", "seconds"), [("eyJhbGciOi.J-I_U0", 3600), ("", 0)])
def test_a_cookie_is_written_as_the_framework_does(secure, value, seconds):
    services = SimpleNamespace(settings=SimpleNamespace(secure=secure))
    request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(services=services)))
    ours, theirs = Response(), Response()
    cookies._set_cookie(request, ours, "__Host-x", value, seconds)
    theirs.set_cookie("__Host-x", value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")
    assert ours.raw_headers == theirs.raw_headers


@pytest.mark.parametrize("value", ["a;b", "a b", 'a"', "a\r\nb", "\N{SNOWMAN}", "a,b"])
def test_a_value_that_would_have_to_be_quoted_is_no_cookie(value):
    with pytest.raises(ValueError, match="quoted"):
        cookies._set_cookie(SimpleNamespace(), Response(), "__Host-x", value, 1)
