"""Groups: how their names are written, what a claim says of them, and whom they let into a gateway."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from latchpin.errors import BackendUnavailable, InvalidRequest
from latchpin.gateways.body import parse_gateway_body
from latchpin.identity.allowance import may_use
from latchpin.identity.groups import with_groups
from latchpin.model import Caller, read_groups, write_group
from latchpin_testing import samples

from tests.identity.test_bearer import HMAC_KEY
from tests.identity.test_jwks import IDP, RSA, Keys, issued, jwk
from tests.web.conftest import claims_at, identify, open_gateway

ADA = Caller("ada@example.com")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("staff", "staff"),
        ("Staff", "Staff"),
        ("Staff of Köln", "Staff%20of%20Köln"),
        ("a,b%20c", "a%2Cb%2520c"),
        ("a\u202eb\n", "a%E2%80%AEb%0A"),
        ("\ud800", "%ED%A0%80"),
        ("", None),
        ("x" * 201, None),
    ],
)
def test_a_groups_name_is_written_so_that_it_means_one_group(name: str, written: str | None):
    assert write_group(name) == written


def test_a_claim_names_groups_or_none():
    assert read_groups(["a", "b c", 7, None, "", ["d"]]) == {"a", "b%20c"}
    assert read_groups("a") == {"a"}
    for nothing in (None, 7, {}, {"a": True}, []):
        assert read_groups(nothing) == frozenset()
    assert len(read_groups([str(number) for number in range(5000)])) == 1000


@pytest.mark.parametrize(
    ("entry", "kept"),
    [("group:staff", "group:staff"), (" group:Staff ", "group:Staff"), ("group:a%20b", "group:a%20b")],
)
def test_an_entry_names_a_group(entry: str, kept: str):
    assert parse_gateway_body({"allowed_users": [entry]}).allowed_users == [kept]


@pytest.mark.parametrize("entry", ["group:", "group:%", "group", "GROUP:staff", "group:%FF", f"group:{'x' * 201}"])
def test_what_names_no_group_is_no_entry(entry: str):
    if entry == "group:%":  # a lone % is itself
        assert parse_gateway_body({"allowed_users": [entry]}).allowed_users == ["group:%25"]
        return
    with pytest.raises(InvalidRequest, match="group"):
        parse_gateway_body({"allowed_users": [entry]})


def test_a_group_lets_its_members_in_and_nobody_else():
    gateway = samples.gateway(datetime.now(UTC), allowed_users=("group:staff", "eve@example.com"))
    for other in ("Staff", "staf", "group:staff", "eve@example.com"):
        assert not may_use(gateway, Caller(ADA.email, groups=frozenset({other}))), other
    assert may_use(gateway, Caller(ADA.email, groups=frozenset({"x", "staff"})))
    list_of_google = samples.gateway(datetime.now(UTC), allowed_users=("group:all@example.com",))
    assert may_use(list_of_google, Caller(ADA.email, groups=frozenset({"all@example.com"})))
    assert not may_use(list_of_google, Caller("group:all@example.com"))


class Says:
    """A source of groups."""

    def __init__(self, *groups: str, fails: bool = False) -> None:
        self.groups, self.fails = frozenset(groups), fails

    async def of(self, caller: Caller) -> frozenset[str]:
        if self.fails:
            raise BackendUnavailable("the directory is away")
        return self.groups if caller.email == ADA.email else frozenset()


async def test_every_source_is_asked_and_one_that_cannot_say_lets_nobody_pass():
    both = {"one": Says("a"), "two": Says("b", "a")}
    assert (await with_groups(both, Caller(ADA.email, groups=frozenset({"own"})))).groups == {"a", "b", "own"}
    assert (await with_groups(both, Caller("eve@example.com"))).groups == frozenset()
    assert await with_groups({}, ADA) is ADA
    with pytest.raises(BackendUnavailable):
        await with_groups({**both, "three": Says(fails=True)}, ADA)


async def test_an_issuers_token_says_groups_where_a_setting_names_the_claim():
    async def groups_of(settings: dict[str, Any], **claims: Any) -> frozenset[str]:
        async with open_gateway(upstream=Keys(jwk(RSA, "one")), **IDP, **settings) as gateway:
            caller = await identify(gateway, issued(gateway.clock, **claims))
            assert caller.groups_said is (settings.get("jwt_groups_claim") in claims)
            return caller.groups

    assert await groups_of({"jwt_groups_claim": "roles"}, roles=["staff", "a b"], groups=["x"]) == {"staff", "a%20b"}
    assert await groups_of({"jwt_groups_claim": "roles"}, groups=["x"]) == frozenset()
    assert await groups_of({"jwt_groups_claim": "roles"}, roles=[]) == frozenset()
    assert await groups_of({}, groups=["x"], roles=["y"]) == frozenset()


async def test_so_does_a_token_under_a_key_of_the_deployers():
    async with open_gateway(jwt_secret_key=HMAC_KEY, jwt_groups_claim="groups") as gateway:
        token = jwt.encode(claims_at(gateway.clock, groups=["staff"]), HMAC_KEY)
        assert (await identify(gateway, token)).groups == {"staff"}
        plain = await gateway.signed_tokens.create_bearer("ada@example.com", False, timedelta(hours=1))
        assert (await identify(gateway, plain)).groups == frozenset()
