"""Rules and groups are entered in pages too; what does not hold comes back as it was entered."""

from __future__ import annotations

import pytest
from latchpin_policy.book import book_of

from tests.policy.test_entering import client_of
from tests.support.gateway_in_process import BASE, InnerGateway

RULES, GROUPS = f"{BASE}/admin/rules", f"{BASE}/admin/groups"
RULE = {"effect": "deny", "tools": "drop_*", "when": "always", "who": "", "gateway": "", "scopes": "left over"}


async def test_a_rule_is_made_changed_and_removed_in_pages(gateway: InnerGateway):
    book = await book_of(gateway.application)
    async with await client_of(gateway) as admin:
        made = await admin.post(f"{RULES}/new", data=RULE | {"note": "too dear"})
        assert (made.status_code, made.headers["location"]) == (303, RULES)
        (rule,) = (await book.current()).rules
        assert (rule.tools, rule.scopes, rule.note) == (("drop_*",), (), "too dear")
        form = await admin.get(f"{RULES}/{rule.id}/edit")
        assert 'value="drop_*"' in form.text
        scopes = RULE | {"effect": "scopes", "scopes": "read", "revision": str(rule.revision)}
        assert (await admin.post(f"{RULES}/{rule.id}/edit", data=scopes)).status_code == 303
        (changed,) = (await book.current()).rules
        assert (changed.id, changed.effect, changed.scopes, changed.tools) == (rule.id, "scopes", ("read",), ())
        late = await admin.post(f"{RULES}/{rule.id}/edit", data=scopes | {"scopes": "typed"})
        assert (late.status_code, 'value="typed"' in late.text) == (409, True)
        assert "read" in (await admin.get(f"{RULES}/{rule.id}/remove")).text
        assert (await admin.post(f"{RULES}/{rule.id}/remove")).headers["location"] == RULES
        assert (await book.current()).rules == ()


async def test_a_group_is_made_changed_and_removed_in_pages(gateway: InnerGateway):
    book = await book_of(gateway.application)
    async with await client_of(gateway) as admin:
        entered = {"name": "the staff", "members": "ann@example.com, *@example.org", "note": ""}
        assert (await admin.post(f"{GROUPS}/new", data=entered)).headers["location"] == GROUPS
        again = await admin.post(f"{GROUPS}/new", data=entered)
        assert (again.status_code, "there is a group the%20staff already" in again.text) == (409, True)
        (group,) = (await book.current()).groups
        form = await admin.get(f"{GROUPS}/the%20staff/edit")
        assert "ann@example.com\n*@example.org" in form.text
        changed = {"members": "ann@example.com", "note": "us", "revision": str(group.revision)}
        assert (await admin.post(f"{GROUPS}/the%20staff/edit", data=changed)).status_code == 303
        (group,) = (await book.current()).groups
        assert (group.name, group.members, group.note) == ("the%20staff", ("ann@example.com",), "us")
        assert (await admin.post(f"{GROUPS}/the%20staff/edit", data=changed)).status_code == 409
        assert "group:the%20staff" in (await admin.get(f"{GROUPS}/the%20staff/remove")).text
        assert (await admin.post(f"{GROUPS}/the%20staff/remove")).headers["location"] == GROUPS
        assert (await book.current()).groups == ()


@pytest.mark.parametrize(
    ("page", "entered", "said"),
    [
        (RULES, RULE | {"tools": "a_typed_name", "who": "nobody"}, "who.0: must be an address"),
        (RULES, RULE | {"effect": "scopes", "scopes": "", "note": "a_typed_name"}, "names scopes"),
        (GROUPS, {"name": "staff", "members": "a_typed_name"}, "members.0: must be an address"),
        (GROUPS, {"name": "a/b", "members": "", "note": "a_typed_name"}, "a group&#39;s name has"),
    ],
)
async def test_what_does_not_hold_comes_back(gateway: InnerGateway, page: str, entered: dict[str, str], said: str):
    async with await client_of(gateway) as admin:
        answer = await admin.post(f"{page}/new", data=entered)
    assert (answer.status_code, said in answer.text, "a_typed_name" in answer.text) == (400, True, True)
