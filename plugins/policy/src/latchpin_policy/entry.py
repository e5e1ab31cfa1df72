"""What somebody enters about a rule or a group: what is allowed, and errors that say what is wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from latchpin.errors import InvalidRequest
from latchpin.model import GROUP, write_group
from latchpin.sdk.gateway import AllowedUsers, is_id
from latchpin.sdk.oauth import is_scope
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from latchpin_policy.group import PeopleGroup
from latchpin_policy.rule import Rule

__all__ = [
    "ApprovalBody",
    "GroupBody",
    "GroupParts",
    "RuleBody",
    "RuleParts",
    "build_group",
    "build_rule",
    "change_rule",
    "check_rule_name",
    "parse_group_name",
]

MOST_STARS = 8


def _words(value: Any) -> Any:  # noqa: ANN401  whatever JSON held
    return value.split() if isinstance(value, str) else value


def _check_pattern(value: str) -> str:
    if not value or not value.isprintable() or any(char.isspace() for char in value):
        raise ValueError("must be a tool's name, or a pattern such as get_*, without blanks")
    if value.count("*") > MOST_STARS:
        raise ValueError(f"must have at most {MOST_STARS} of *")
    return value


def _check_scope(value: str) -> str:
    if not is_scope(value):
        raise ValueError("must be a scope: visible ASCII without blank, quote or backslash (RFC 6749 section 3.3)")
    return value


def _check_line(value: str) -> str:
    text = value.strip()
    if not text.isprintable():
        raise ValueError("must have no control characters")
    return text


def _check_gateway(value: str) -> str:
    if value and not is_id(value):
        raise ValueError("must be a gateway's id: 32 hexadecimal digits; empty: every gateway")
    return value


def _check_members(value: list[str]) -> list[str]:
    if any(member.startswith(GROUP) for member in value):
        raise ValueError("must be addresses and whole domains: no group is in another")
    return value


_Pattern = Annotated[str, Field(strict=True, max_length=255), AfterValidator(_check_pattern)]
_Scope = Annotated[str, Field(strict=True, max_length=200), AfterValidator(_check_scope)]
_Line = Annotated[str, Field(strict=True, max_length=500), AfterValidator(_check_line)]
_Revision = Annotated[int, Field(strict=True, ge=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RuleParts(_Body):
    """What is said of a rule, but for the gateway that it is about."""

    effect: Literal["allow", "deny", "scopes"] | None = Field(
        None, description="allow or deny tools, or scopes: the only ones that may be asked for."
    )
    who: AllowedUsers | None = Field(
        None, description="About whom: addresses, *@domain or group:name; empty: everyone."
    )
    tools: Annotated[list[_Pattern], BeforeValidator(_words), Field(max_length=500)] | None = Field(
        None, description="Names of tools as their server calls them, or patterns with *."
    )
    when: Literal["always", "read-only", "not-read-only"] | None = Field(
        None, description="Of these tools all, those whose readOnlyHint is true, or all but those."
    )
    scopes: Annotated[list[_Scope], BeforeValidator(_words), Field(max_length=200)] | None = Field(
        None, description="The only scopes that may be asked for."
    )
    note: _Line | None = Field(None, description="Why there is this rule.")


class RuleBody(RuleParts):
    """The body of ``POST /rules`` (``effect`` is needed) and ``PUT /rules/{rule_id}``; an absent key stays as it is."""

    gateway: Annotated[str, Field(strict=True), AfterValidator(_check_gateway)] | None = Field(
        None, description="At which gateway: its id; empty: at every one."
    )
    revision: _Revision | None = Field(None, description="If given, the change holds only for that revision.")


class GroupParts(_Body):
    """What is said of a group of people."""

    members: Annotated[AllowedUsers, AfterValidator(_check_members)] = Field(
        description="Addresses, or *@domain for everybody there."
    )
    note: _Line = Field("", description="Who that is.")


class GroupBody(GroupParts):
    """The body of ``PUT /groups/{name}``, which makes a group or puts others in the place of its members."""

    revision: _Revision | None = Field(None, description="If given, the change holds only for that revision.")


class ApprovalBody(_Body):
    """The body of ``POST /changed-tools/{tool_id}/approve``."""

    hash: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Of the definition that is approved."
    )


def parse_group_name(text: str) -> str:
    """The name of a group as somebody writes it, with or without ``group:`` before it.

    Raises:
        InvalidRequest: it is none.
    """
    name = unquote(text.strip().removeprefix(GROUP))
    written = write_group(name)
    if written is None or "\ufffd" in name or "/" in name:
        raise InvalidRequest("a group's name has 1 to 200 characters, and no /; %20 stands for a blank")
    return written


def check_rule_name(text: str) -> str:
    """A name that a rule is kept under in place of eight random digits.

    Raises:
        InvalidRequest: it is none.
    """
    if not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){0,63}", text):
        raise InvalidRequest("a rule's name has at most 64 lower-case letters, digits and single hyphens between them")
    return text


def build_rule(body: RuleBody, *, id: str, now: datetime, gateways: Collection[str]) -> Rule:  # noqa: A002
    """The rule that was entered.

    Args:
        body: what was entered.
        id: the new rule's.
        now: the moment.
        gateways: the ids of those that there are.

    Raises:
        InvalidRequest: something is missing, or contradicts itself.
    """
    if body.effect is None:
        raise InvalidRequest("effect is missing: allow, deny or scopes")
    bare = Rule(id, body.effect, (), "", (), "always", (), "", now, now)
    return change_rule(bare, body, now=now, gateways=gateways)


def change_rule(earlier: Rule, body: RuleBody, *, now: datetime, gateways: Collection[str]) -> Rule:
    """The rule as it will be.

    Raises:
        InvalidRequest: it would contradict itself, or names a gateway that is not there.
    """
    given = body.model_fields_set - {"revision"}
    said: dict[str, Any] = {}
    for key in given:
        value = getattr(body, key)
        if value is None and key in {"effect", "when"}:
            continue
        said[key] = tuple(dict.fromkeys(value)) if isinstance(value, list) else (value if value is not None else "")
        if value is None and key in {"who", "tools", "scopes"}:
            said[key] = ()
    changed = replace(earlier, **said, updated_at=now)
    if changed.effect == "scopes":
        if not changed.scopes or changed.tools or changed.when != "always":
            raise InvalidRequest("a rule about scopes names scopes, and neither tools nor a condition")
    elif not changed.tools or changed.scopes:
        raise InvalidRequest(f"a rule to {changed.effect} tools names tools (* is all of them), and no scopes")
    if changed.gateway and changed.gateway != earlier.gateway and changed.gateway not in gateways:
        raise InvalidRequest(f"gateway: there is no gateway {changed.gateway}")
    return changed


def build_group(name: str, body: GroupBody, *, revision: int, now: datetime) -> PeopleGroup:
    """The group that was entered, in the place of the one with that revision; 0: there is none."""
    return PeopleGroup(name, tuple(dict.fromkeys(body.members)), body.note, now, revision)
