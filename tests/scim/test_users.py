"""What a directory does to its users, and who is out by it."""

from __future__ import annotations

from typing import Any

import pytest
from latchpin.model import Caller
from latchpin_offboarding.people import Departed, People

from tests.scim.conftest import USER, Directory
from tests.support.gateway_in_process import ALICE, InnerGateway

ROOT = Caller("root@example.com", is_admin=True, via="bearer")


async def is_out(gateway: InnerGateway, email: str = ALICE) -> bool:
    return await People(gateway.application).is_out(email)


# -- the ways in which directories say that somebody left -------------------------------------------------

ENTRA = {"op": "Replace", "path": "active", "value": "False"}
OKTA = {"op": "replace", "value": {"active": False}}


DEACTIVATIONS: list[dict[str, Any]] = [
    ENTRA,
    OKTA,
    {"op": "replace", "path": "active", "value": False},
    {"op": "Add", "path": "active", "value": "false"},
    {"op": "Replace", "path": f"{USER}:active", "value": [{"value": "False"}]},
    {"OP": "replace", "Path": "", "Value": {f"{USER}:Active": "FALSE"}},
]


async def test_a_patch_deactivates(gateway: InnerGateway, directory: Directory):
    for number, operation in enumerate(DEACTIVATIONS):
        email = f"user{number}@example.com"
        user = await directory.create(email)
        assert not await is_out(gateway, email)
        answer = await directory.patch(user, operation)
        assert (answer.status_code, answer.json()["active"]) == (200, False), operation
        assert await is_out(gateway, email)


async def test_the_whole_user_put_deactivates_and_activates(gateway: InnerGateway, directory: Directory):
    user = await directory.create(externalId="00u1", name={"givenName": "Alice"}, password="x")
    body = {"schemas": [USER], "id": user["id"], "userName": ALICE, "active": False}
    assert (await directory.send("PUT", f"/Users/{user['id']}", body)).json()["active"] is False
    assert await is_out(gateway)
    assert (await directory.send("PUT", f"/Users/{user['id']}", body | {"active": True})).json()["active"] is True
    assert not await is_out(gateway)


async def test_a_deleted_user_is_out_until_created_again(gateway: InnerGateway, directory: Directory):
    user = await directory.create()
    assert (await directory.send("DELETE", f"/Users/{user['id']}")).status_code == 204
    assert await is_out(gateway)
    for method in ("GET", "DELETE", "PATCH", "PUT"):
        body = None if method in {"GET", "DELETE"} else {"userName": ALICE}
        assert (await directory.send(method, f"/Users/{user['id']}", body)).status_code == 404
    await directory.create()
    assert not await is_out(gateway)


async def test_who_is_created_inactive_is_out(gateway: InnerGateway, directory: Directory):
    user = await directory.create(active=False)
    assert await is_out(gateway)
    await directory.patch(user, {"op": "replace", "path": "active", "value": True})
    assert not await is_out(gateway)


async def test_every_address_that_somebody_has_or_had_is_out(gateway: InnerGateway, directory: Directory):
    emails = [{"value": "A.Liddell@Example.com", "type": "work", "primary": True}]
    user = await directory.create("ALICE", emails=emails)
    path = 'emails[type eq "work"].value'
    await directory.patch(user, {"op": "Replace", "path": path, "value": "alice@new.example.com"})
    await directory.patch(user, ENTRA)
    assert await is_out(gateway, "a.liddell@example.com")
    assert await is_out(gateway, "alice@new.example.com")


async def test_more_addresses_than_are_kept_are_refused_and_none_is_forgotten(
    gateway: InnerGateway, directory: Directory
):
    emails = [{"value": f"alias{number}@example.com"} for number in range(99)]
    user = await directory.create(emails=emails)
    answer = await directory.patch(user, {"op": "add", "path": "emails", "value": [{"value": "more@example.com"}]})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    await directory.patch(user, ENTRA)
    assert await is_out(gateway, "alias98@example.com")


async def test_a_user_who_is_merely_changed_lets_nobody_in(gateway: InnerGateway, directory: Directory):
    earlier = await directory.create("alice@example.com")
    await directory.patch(earlier, {"op": "replace", "path": "userName", "value": "alicia@example.com"})
    await directory.patch(await directory.create("alice@example.com"), ENTRA)  # who has the address now
    for operation in ({"op": "replace", "path": "displayName", "value": "A"}, {"op": "add", "value": {"active": True}}):
        assert (await directory.patch(earlier, operation)).status_code == 200
        assert await is_out(gateway)


async def test_of_an_activation_and_a_deletion_at_once_the_deletion_stands(
    gateway: InnerGateway, directory: Directory, monkeypatch: pytest.MonkeyPatch
):
    user = await directory.create(active=False)
    restore = People.restore

    async def restore_slowly(people: People, *args: Any, **more: Any) -> None:
        await restore(people, *args, **more)
        monkeypatch.undo()
        assert (await directory.send("DELETE", f"/Users/{user['id']}")).status_code == 204
        await restore(people, *args, **more)  # as where it had been that slow

    monkeypatch.setattr(People, "restore", restore_slowly)
    assert (await directory.patch(user, {"op": "replace", "path": "active", "value": True})).status_code == 404
    assert await is_out(gateway)


async def test_an_address_that_comes_while_a_user_is_deleted_is_out_too(
    gateway: InnerGateway, directory: Directory, monkeypatch: pytest.MonkeyPatch
):
    user = await directory.create()
    end = People.end

    async def end_slowly(people: People, *args: Any, **more: Any) -> Departed:
        monkeypatch.undo()
        rename = {"op": "replace", "path": "userName", "value": "alicia@example.com"}
        assert (await directory.patch(user, rename)).status_code == 200
        return await end(people, *args, **more)

    monkeypatch.setattr(People, "end", end_slowly)
    assert (await directory.send("DELETE", f"/Users/{user['id']}")).status_code == 204
    assert await is_out(gateway, "alicia@example.com")
    assert (await directory.send("GET", f"/Users/{user['id']}")).status_code == 404


async def test_what_is_not_kept_changes_nothing(gateway: InnerGateway, directory: Directory):
    user = await directory.create(displayName="Alice")
    answer = await directory.patch(
        user,
        {"op": "Add", "path": "name.givenName", "value": "Alice"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "R"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "work"].value', "value": "1"},
        {"op": "replace", "value": {"name.familyName": "L", "title": "Dr", "displayName": "A. L."}},
    )
    assert (answer.status_code, answer.json()["displayName"], answer.json()["active"]) == (200, "A. L.", True)
    assert not await is_out(gateway)


async def test_an_administrators_end_stands(gateway: InnerGateway, directory: Directory):
    user = await directory.create()
    await People(gateway.application).end(ALICE, ROOT, way="api")
    for value in (True, False, True):
        await directory.patch(user, {"op": "replace", "path": "active", "value": value})
        assert await is_out(gateway)


# -- what cannot be ----------------------------------------------------------------------------------------


MALFORMED: list[tuple[list[Any], str]] = [
    ([{"op": "replace", "path": "active", "value": "no"}], "invalidValue"),
    ([{"op": "replace", "path": "active", "value": None}], "invalidValue"),
    ([{"op": "replace", "path": "active", "value": 0}], "invalidValue"),
    ([{"op": "replace", "path": "active"}], "invalidValue"),
    ([{"op": "replace", "value": "active"}], "invalidValue"),
    ([{"op": "replace", "value": {"active": False, "ACTIVE": True}}], "invalidSyntax"),
    ([{"op": "remove", "path": "active"}], "mutability"),
    ([{"op": "remove"}], "noTarget"),
    ([{"op": "move", "path": "active", "value": False}], "invalidSyntax"),
    ([{"op": "replace", "path": 'active" or 1', "value": False}], "invalidPath"),
    ([{"op": "replace", "path": "id", "value": "another"}], "mutability"),
    ([{"op": "replace", "path": "userName", "value": "nobody"}], "invalidValue"),
    ([], "invalidSyntax"),
    (["active"], "invalidSyntax"),
]


async def test_what_is_malformed_changes_nothing(gateway: InnerGateway, directory: Directory):
    user = await directory.create()
    for operations, kind in MALFORMED:
        whole = [{"op": "replace", "path": "displayName", "value": "X"}, *operations] if operations else []
        answer = await directory.patch(user, *whole)
        assert (answer.status_code, answer.json().get("scimType")) == (400, kind), operations
        assert "displayName" not in (await directory.send("GET", f"/Users/{user['id']}")).json()
        assert not await is_out(gateway)


IMPOSSIBLE: list[Any] = [
    {"userName": "nobody"},
    {"userName": ""},
    {},
    {"userName": "\N{KELVIN SIGN}ate@example.com"},
    {"userName": "kate", "emails": [{"value": "\N{KELVIN SIGN}ate@example.com"}]},
    {"userName": "kate", "emails": "kate@example.com"},
    {"userName": "kate@example.com", "active": "yes"},
    {"userName": ["kate@example.com"]},
    {"userName": "kate@example.com\u202e"},
    {"userName": "k" * 300 + "@example.com"},
    [],
    "kate@example.com",
    7,
]


async def test_a_user_who_cannot_be_is_refused(directory: Directory):
    for body in IMPOSSIBLE:
        answer = await directory.send("POST", "/Users", body)
        assert answer.status_code == 400, body
    assert (await directory.send("GET", "/Users")).json()["totalResults"] == 0


async def test_a_body_that_is_no_json_is_refused(directory: Directory):
    for content in (b"", b"{", b"[" * 100_000, b"\xff"):
        answer = await directory.http.post(f"{'http://localhost:4444'}/scim/v2/Users", content=content)
        assert answer.status_code == 400, answer.text
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


async def test_one_name_is_one_users_in_any_case(directory: Directory):
    user = await directory.create("Alice@Example.com")
    for name in ("alice@example.com", "ALICE@EXAMPLE.COM"):
        answer = await directory.send("POST", "/Users", {"userName": name})
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    other = await directory.create("bob@example.com")
    taken = {"op": "replace", "path": "userName", "value": "alice@example.com"}
    assert (await directory.patch(other, taken)).status_code == 409
    assert (await directory.patch(user, taken)).json()["userName"] == "alice@example.com"
    assert (await directory.patch(user, taken | {"value": "eve@example.com"})).status_code == 200
    assert (await directory.patch(other, taken)).status_code == 200  # it is free now


# -- looking --------------------------------------------------------------------------------------------


async def test_users_are_found_by_what_directories_look_for(directory: Directory):
    user = await directory.create("Alice@example.com", externalId='a"b')
    await directory.create("bob@example.com")
    for wanted in (
        'userName eq "alice@EXAMPLE.com"',
        'USERNAME Eq "alice@example.com"',
        f'{USER}:userName eq "alice@example.com"',
        r'externalId eq "a\"b"',
        f'id eq "{user["id"]}"',
    ):
        found = (await directory.send("GET", "/Users", filter=wanted)).json()
        assert [each["id"] for each in found["Resources"]] == [user["id"]], wanted
    for wanted in ('userName eq "2b5e"', 'externalId eq "A"', 'id eq "../Users"'):
        found = (await directory.send("GET", "/Users", filter=wanted)).json()
        assert (found["totalResults"], found["Resources"]) == (0, [])


OTHER_FILTERS = [
    "",
    'userName eq "alice@example.com" or active eq true',
    'userName eq "a" or userName eq "alice@example.com"',
    'userName eq "alice@example.com")',
    'userName sw ""',
    "userName pr",
    'not (userName eq "a")',
    'password eq "a"',
    "userName eq 'alice@example.com'",
    'userName eq "a\\',
    r'userName eq "\x41"',
    'userName eq "a" ; DROP TABLE',
    'userName eq "' + "a" * 5000 + '"',
]


async def test_another_filter_finds_nothing_and_says_so(directory: Directory):
    await directory.create()
    for wanted in OTHER_FILTERS:
        answer = await directory.send("GET", "/Users", filter=wanted)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter"), wanted


async def test_a_long_list_comes_in_pages(directory: Directory):
    names = {f"user{number}@example.com" for number in range(7)}
    for name in names:
        await directory.create(name)
    seen: set[str] = set()
    for start in (1, 4, 7):
        page = (await directory.send("GET", "/Users", startIndex=str(start), count="3")).json()
        assert (page["totalResults"], page["startIndex"]) == (7, start)
        seen |= {each["userName"] for each in page["Resources"]}
    assert seen == names
    assert (await directory.send("GET", "/Users", count="0")).json()["Resources"] == []
    assert (await directory.send("GET", "/Users", count="-1", startIndex="-5")).json()["startIndex"] == 1
    assert (await directory.send("GET", "/Users", count="x")).status_code == 400


async def test_it_says_what_it_can_do(directory: Directory):
    config = (await directory.send("GET", "/ServiceProviderConfig")).json()
    assert {name for name, each in config.items() if isinstance(each, dict) and each.get("supported")} == {
        "patch",
        "filter",
    }
    types = (await directory.send("GET", "/ResourceTypes")).json()["Resources"]
    assert [each["id"] for each in types] == ["User"]
    assert (await directory.send("GET", "/ResourceTypes/User")).status_code == 200
    assert (await directory.send("GET", f"/Schemas/{USER}")).json()["id"] == USER
    for path in ("/ResourceTypes/Group", "/Schemas/none"):
        assert (await directory.send("GET", path)).status_code == 404
