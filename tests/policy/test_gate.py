"""What rules say: which one decides, by which names, and when a definition is needed."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin.contracts import Verdict
from latchpin.errors import InvalidRequest
from latchpin.model import Caller
from latchpin.sdk.gateway import parse_body
from latchpin_policy.entry import GroupBody, RuleBody, build_rule, change_rule, parse_group_name
from latchpin_policy.gate import NOTHING_ALLOWS, NOTHING_SAYS, RuleGate
from latchpin_policy.group import PeopleGroup
from latchpin_policy.names import matches
from latchpin_policy.policy import Policy
from latchpin_policy.rule import Rule, is_about

from tests.policy.conftest import NOW, rule, tool

ADA = Caller("ada@example.com", groups=frozenset({"staff"}))
READS, WRITES = tool("x", readOnlyHint=True), tool("x", readOnlyHint=False)


def judge(rules: list[Rule], name: str, definition: dict[str, object] | None = None) -> bool | None:
    verdict = RuleGate(rules).judge(name, definition)
    return None if verdict is None else verdict.allowed


def test_deny_beats_allow_and_an_allow_rule_lets_nothing_else_through():
    assert judge([rule("deny", "a")], "a") is False
    assert judge([rule("deny", "a")], "b") is True
    assert judge([rule("allow", "a")], "a") is True
    assert judge([rule("allow", "a")], "b") is False
    assert judge([rule("allow", "*"), rule("deny", "a b")], "b") is False
    assert judge([rule("allow", "*"), rule("deny", "a b")], "c") is True
    assert judge([rule("allow", "a"), rule("allow", "b")], "b") is True
    assert RuleGate([]).judge("a", None) is NOTHING_SAYS
    assert RuleGate([rule("allow", "a")]).judge("b", None) is NOTHING_ALLOWS


def test_what_decided_is_named_without_an_address():
    denied = RuleGate([rule("deny", "a*", who=("ada@example.com",), id="12345678")]).judge("ab", None)
    assert denied == Verdict(allowed=False, rule="rule 12345678 (deny a*)")


def test_a_denied_name_is_held_back_however_a_careless_server_reads_it():
    wide = "".join(chr(ord(char) + 0xFEE0) for char in "delete")
    likes = (f"{wide}_note", "delete\u200b_note", "delete_note ", "\ufeffdelete_note")
    for name in ("delete_note", "DELETE_NOTE", "Delete_Note", *likes):
        assert judge([rule("deny", "delete_note")], name) is False, ascii(name)
        assert judge([rule("deny", "Delete_*")], name) is False, ascii(name)


def test_an_allowed_name_is_exactly_that():
    for name in ("Get_note", "get_note ", "get\u200b_note", "\uff47et_note", "get_notes", "get"):
        assert judge([rule("allow", "get_note")], name) is False, ascii(name)


def test_a_condition_takes_the_definition():
    reading = [rule("allow", "*", when="read-only")]
    assert (judge(reading, "x"), judge(reading, "x", READS), judge(reading, "x", WRITES)) == (None, True, False)
    writing = [rule("deny", "*", when="not-read-only")]
    assert (judge(writing, "x"), judge(writing, "x", READS), judge(writing, "x", WRITES)) == (None, True, False)
    for odd in (tool("x"), {**READS, "annotations": None}, {**READS, "annotations": {"readOnlyHint": "true"}}, {}):
        assert judge(reading, "x", odd) is False


def test_no_definition_is_needed_where_the_name_decides():
    reading = rule("allow", "get_*", when="read-only")
    assert judge([reading], "put_x") is False
    assert judge([reading, rule("allow", "get_x")], "get_x") is True
    assert judge([reading, rule("deny", "get_x")], "get_x") is False
    assert judge([rule("deny", "a", when="read-only"), rule("allow", "b")], "a") is None


PLAIN = st.text("ab*", max_size=8)


@given(PLAIN, st.text("ab", max_size=10))
def test_a_pattern_means_what_shells_mean(pattern: str, name: str):
    assert matches(pattern, name) == (re.fullmatch(fnmatch.translate(pattern), name) is not None)


def test_a_pattern_of_many_stars_is_judged_at_once():
    assert not matches("*a" * 8 + "b", "a" * 100_000)
    assert matches("a?[b]", "a?[b]")
    assert not matches("a?", "ab")
    assert not matches("aa*aa", "aaa")


# -- whom rules are about ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "about"),
    [
        ((), True),
        (("ada@example.com",), True),
        (("*@example.com",), True),
        (("group:staff",), True),
        (("group:Staff",), False),
        (("bob@example.com", "*@example.org"), False),
    ],
)
def test_a_rule_is_about_people_domains_groups_or_everyone(who: tuple[str, ...], about: bool):
    for caller in (ADA, Caller(ADA.email, is_admin=True, groups=ADA.groups)):
        assert is_about(rule("deny", "*", who=who), "g", caller) is about
        assert Policy([rule("deny", "*", who=who)], []).gate("g", caller) is not None if about else True


def test_a_rule_is_about_one_gateway_or_every_one():
    policy = Policy([rule("deny", "a", gateway="one"), rule("scopes", scopes=("read",), gateway="one")], [])
    assert policy.gate("one", ADA) is policy.gate("one", ADA), "what was judged by it is remembered under it"
    assert policy.gate("two", ADA) is None
    assert (policy.ceiling("one", ADA), policy.ceiling("two", ADA)) == ({"read"}, None)


def test_who_is_known_to_be_in_no_group_any_more_has_what_is_allowed_to_everyone():
    """What docs/policy.md advises for what must stay shut; rules about a group alone end with what is known of it."""
    allowing = [rule("allow", "get_*"), rule("allow", "*", who=("group:staff",))]
    denying = [rule("deny", "delete", who=("group:staff",))]
    forgotten = replace(ADA, groups=frozenset())
    for rules, caller, passes in ((allowing, ADA, True), (allowing, forgotten, False), (denying, ADA, False)):
        gate = Policy(rules, []).gate("g", caller)
        assert gate is not None
        verdict = gate.judge("delete", {"name": "delete"})
        assert verdict is not None
        assert verdict.allowed is passes
    assert Policy(denying, []).gate("g", forgotten) is None


def test_every_ceiling_holds():
    policy = Policy([rule("scopes", scopes=("a", "b")), rule("scopes", scopes=("b", "c"), who=("group:staff",))], [])
    assert policy.ceiling("g", ADA) == {"b"}
    assert policy.ceiling("g", Caller("eve@example.com")) == {"a", "b"}
    assert policy.gate("g", ADA) is None, "rules about scopes hold no tool back"


def test_groups_name_people_and_domains():
    groups = [PeopleGroup("a", ("ada@example.com",), "", NOW), PeopleGroup("b", ("*@example.com", "x@y.z"), "", NOW)]
    policy = Policy([], groups)
    assert policy.groups_of("ada@example.com") == {"a", "b"}
    assert policy.groups_of("bob@example.com") == {"b"}
    assert policy.groups_of("eve@other.example.com") == frozenset()


# -- what is entered --------------------------------------------------------------------------------------


def entered(**body: object) -> Rule:
    return build_rule(parse_body(RuleBody, body), id="0a0b0c0d", now=NOW, gateways=())


def test_what_is_entered_is_kept():
    made = entered(effect="deny", tools="a  b a", who="ADA@example.com, group:Staff", note=" why ")
    assert (made.tools, made.who, made.note) == (("a", "b"), ("ada@example.com", "group:Staff"), "why")
    assert Rule.read(made.dump()) == made
    cleared = change_rule(made, parse_body(RuleBody, {"who": None, "note": None}), now=NOW, gateways=())
    assert (cleared.who, cleared.note, cleared.tools) == ((), "", made.tools)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([], "object"),
        ({}, "effect"),
        ({"effect": "forbid"}, "effect"),
        ({"effect": "deny"}, "names tools"),
        ({"effect": "deny", "tools": ["a b"]}, "tools.0"),
        ({"effect": "deny", "tools": ["a\u200bb"]}, "tools.0"),
        ({"effect": "deny", "tools": ["*" * 9]}, "at most 8"),
        ({"effect": "deny", "tools": ["a"], "scopes": ["b"]}, "no scopes"),
        ({"effect": "deny", "tools": ["a"], "gateway": "b" * 32}, "there is no gateway"),
        ({"effect": "deny", "tools": ["a"], "gateway": "b"}, "gateway"),
        ({"effect": "deny", "tools": ["a"], "who": ["ada"]}, "who"),
        ({"effect": "deny", "tools": ["a"], "when": "sometimes"}, "when"),
        ({"effect": "scopes"}, "names scopes"),
        ({"effect": "scopes", "scopes": ["a"], "tools": ["b"]}, "neither tools"),
        ({"effect": "scopes", "scopes": ['a"b']}, "scopes.0"),
        ({"effect": "allow", "tools": ["a"], "more": 1}, "more"),
    ],
)
def test_what_contradicts_itself_is_refused(body: object, why: str):
    with pytest.raises(InvalidRequest, match=why):
        build_rule(parse_body(RuleBody, body), id="0a0b0c0d", now=NOW, gateways=())


def test_a_group_holds_people_and_no_groups():
    assert parse_body(GroupBody, {"members": "Ada@example.com *@example.org"}).members == [
        "ada@example.com",
        "*@example.org",
    ]
    with pytest.raises(InvalidRequest, match="no group is in another"):
        parse_body(GroupBody, {"members": ["group:other"]})
    assert parse_group_name(" group:The staff") == "The%20staff"
    for name in ("", "group:", "a/b", "%FF"):
        with pytest.raises(InvalidRequest):
            parse_group_name(name)
