"""Who a proven account is: verified addresses only, admitted domains, administrators by group."""

from __future__ import annotations

from typing import Any

import pytest
from latchpin.errors import SettingsError
from latchpin.settings import load
from latchpin_oidc_login.errors import NotAdmitted
from latchpin_oidc_login.person import Person, lacks_claims, read_person
from latchpin_oidc_login.plugin import latchpin_sign_ins
from latchpin_oidc_login.settings import OidcLoginSettings

ADA = {"email": "Ada@Example.com", "email_verified": True}


def settings_of(**values: Any) -> OidcLoginSettings:
    base = {"oidc_login_issuer": "https://login.example.com", "oidc_login_client_id": "c"}
    return OidcLoginSettings(_env_file=None, **{**base, **values})  # type: ignore[call-arg]


def person(claims: dict[str, Any], userinfo: dict[str, Any] | None = None, **settings: Any) -> Person:
    return read_person(claims, userinfo or {}, settings_of(**settings))


def test_a_verified_address_is_the_person():
    assert person(ADA) == Person("ada@example.com", is_admin=False)


def test_verified_written_as_text_counts():
    assert person({**ADA, "email_verified": "true"}).email == "ada@example.com"


@pytest.mark.parametrize("verified", [False, "false", "True", "yes", "", 1, 0, [True], {}])
@pytest.mark.parametrize("trust", [False, True])
def test_an_address_that_is_not_verified_is_nobodys(verified: Any, trust: bool):
    with pytest.raises(NotAdmitted, match="not verified"):
        person({**ADA, "email_verified": verified}, oidc_login_trust_unverified_email=trust)


@pytest.mark.parametrize("absent", [{}, {"email_verified": None}])
def test_where_the_provider_says_nothing_a_setting_decides(absent: dict[str, Any]):
    claims = {"email": "ada@example.com", **absent}
    with pytest.raises(NotAdmitted) as caught:
        person(claims)
    assert "OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL" in caught.value.remedy
    assert person(claims, oidc_login_trust_unverified_email=True).email == "ada@example.com"


@pytest.mark.parametrize(
    "email", [None, "", "ada", "@example.com", "a@b@example.com", "ada @example.com", ["ada@x.org"], 1]
)
def test_what_is_no_address_is_nobodys(email: Any):
    with pytest.raises(NotAdmitted):
        person({**ADA, "email": email})


def test_without_an_address_the_claim_is_named():
    with pytest.raises(NotAdmitted, match="'upn'"):
        person(ADA, oidc_login_email_claim="upn")


@pytest.mark.parametrize("also", [{}, {"email": "mallory@example.com"}])
def test_what_is_verified_is_the_standard_claims_address_and_no_others(also: dict[str, Any]):
    claims = {"preferred_username": "ada@example.com", "email_verified": True, **also}
    with pytest.raises(NotAdmitted) as caught:
        person(claims, oidc_login_email_claim="preferred_username")
    assert "OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL" in caught.value.remedy
    trusting = {"oidc_login_email_claim": "preferred_username", "oidc_login_trust_unverified_email": True}
    assert person(claims, **trusting).email == "ada@example.com"
    same = {**claims, "email": "ada@example.com"}
    assert person(same, oidc_login_email_claim="preferred_username").email == "ada@example.com"


def test_the_address_and_its_proof_come_from_the_same_place():
    mallory = {"email": "mallory@example.com", "email_verified": True}
    with pytest.raises(NotAdmitted):  # userinfo's address, the ID token's proof
        person({"email_verified": True}, {"email": "ada@example.com"})
    with pytest.raises(NotAdmitted):  # the ID token's address, userinfo's proof
        person({"email": "ada@example.com"}, {"email_verified": True})
    assert person({"email": "ada@example.com"}, mallory).email == "mallory@example.com"
    assert person(ADA, mallory).email == "ada@example.com"


@pytest.mark.parametrize(
    ("email", "admitted"),
    [
        ("ada@example.com", True),
        ("ada@EXAMPLE.com", True),
        ("ada@other.example", True),
        ("ada@sub.example.com", False),
        ("ada@notexample.com", False),
        ("ada@example.com.evil.org", False),
        ("example.com@evil.org", False),
    ],
)
def test_only_listed_domains_are_admitted(email: str, admitted: bool):
    domains = {"oidc_login_allowed_domains": "Example.com, other.example"}
    if admitted:
        assert person({**ADA, "email": email}, **domains)
    else:
        with pytest.raises(NotAdmitted, match="domain"):
            person({**ADA, "email": email}, **domains)


def test_groups_make_administrators_only_where_they_are_set():
    assert not person({**ADA, "groups": ["ops"]}).is_admin
    assert person({**ADA, "groups": ["ops"]}, oidc_login_admin_groups="ops").is_admin
    assert person(ADA, {"groups": ["ops"]}, oidc_login_admin_groups="ops").is_admin
    assert not person({**ADA, "groups": ["staff"]}, {"groups": ["ops"]}, oidc_login_admin_groups="ops").is_admin
    assert not person({**ADA, "groups": {"ops": True}}, oidc_login_admin_groups="ops").is_admin


def test_userinfo_is_asked_only_where_something_is_open():
    assert not lacks_claims(ADA, settings_of())
    assert lacks_claims({"email": "ada@example.com"}, settings_of())
    assert lacks_claims(ADA, settings_of(oidc_login_admin_groups="ops"))
    assert not lacks_claims({**ADA, "groups": []}, settings_of(oidc_login_admin_groups="ops"))


# -- the settings ---------------------------------------------------------------------------------------

WRONG = {
    "only an issuer": {"OIDC_LOGIN_CLIENT_ID": ""},
    "only a client": {"OIDC_LOGIN_ISSUER": ""},
    "no URL": {"OIDC_LOGIN_ISSUER": "login.example.com"},
    "a query": {"OIDC_LOGIN_ISSUER": "https://login.example.com?tenant=1"},
    "a password": {"OIDC_LOGIN_ISSUER": "https://me:secret@login.example.com"},
    "no openid": {"OIDC_LOGIN_SCOPES": "email profile"},
    "a domain with @": {"OIDC_LOGIN_ALLOWED_DOMAINS": "*@example.com"},
    "a long session": {"OIDC_LOGIN_SESSION_SECONDS": "2592001"},
    "a long leeway": {"OIDC_LOGIN_CLOCK_LEEWAY_SECONDS": "301"},
}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIDC_LOGIN_ISSUER", "https://login.example.com/realms/x")
    monkeypatch.setenv("OIDC_LOGIN_CLIENT_ID", "c")
    return monkeypatch


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG.keys())
def test_a_setting_that_does_not_hold_is_named(variables: pytest.MonkeyPatch, values: dict[str, str]):
    for name, value in values.items():
        variables.setenv(name, value)
    with pytest.raises(SettingsError, match="OIDC_LOGIN_"):
        load(OidcLoginSettings)


def test_what_the_login_page_shows(variables: pytest.MonkeyPatch):
    (offer,) = latchpin_sign_ins()
    way = offer.describe(load(offer.settings))
    assert way is not None
    assert (way.label, way.path, way.names_administrators) == ("login.example.com", "/login/oidc", False)
    variables.setenv("OIDC_LOGIN_ADMIN_GROUPS", "ops")
    variables.setenv("OIDC_LOGIN_LABEL", "Example")
    way = offer.describe(load(offer.settings))
    assert way is not None
    assert (way.label, way.names_administrators) == ("Example", True)
