"""What a sign-in carries belongs to one browser and one flow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from latchpin_oidc_login.errors import StateInvalid
from latchpin_oidc_login.state import build_claims, build_nonce, build_verifier, check_browser, read_claims
from latchpin_testing import SuiteCipher

ADA, EVE = "a" * 43, "e" * 43
ISSUER = "https://login.example.com"


def test_nonce_and_verifier_belong_to_one_browser_and_one_flow():
    made = [build(browser, flow) for build in (build_nonce, build_verifier) for browser in (ADA, EVE) for flow in "12"]
    assert len(set(made)) == 8
    assert {len(each) for each in made} == {43}
    assert made[0] == build_nonce(ADA, "1")


def test_a_state_is_read_back_as_it_was_written():
    cipher = SuiteCipher()
    claims = build_claims("f" * 32, ISSUER, browser=ADA, target="/a?b=c", cipher=cipher)
    assert ADA not in repr(claims)
    assert "/a" not in repr(claims)
    attempt = read_claims({**claims, "exp": 1_800_000_000}, cipher)
    assert (attempt.flow_id, attempt.issuer, attempt.target) == ("f" * 32, ISSUER, "/a?b=c")
    assert attempt.expires_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert check_browser(attempt, ADA) == ADA
    for other in (None, EVE, ""):
        with pytest.raises(StateInvalid):
            check_browser(attempt, other)
    with pytest.raises(StateInvalid):
        check_browser(replace(attempt, browser=""), ADA)


def test_a_target_moved_to_another_flow_does_not_open():
    cipher = SuiteCipher()
    one, two = (build_claims(flow * 32, ISSUER, browser=ADA, target="/a", cipher=cipher) for flow in "12")
    with pytest.raises(StateInvalid):
        read_claims({**one, "target": two["target"], "exp": 1_800_000_000}, cipher)
