"""What somebody enters about a set: what is allowed, and errors that say what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import AllowedUsers, is_id, parse_body
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from latchpin_aggregator.sets.gateway_set import LONGEST_SLUG, GatewaySet, is_slug

__all__ = ["MOST_GATEWAYS", "SetBody", "SetParts", "build_set", "change_set", "parse_set_body"]

MOST_GATEWAYS = 500
"""Of one set."""
_SLUG_RULE = f"must have lower-case letters, digits and single hyphens between them, at most {LONGEST_SLUG} in all"


def _check_slug(value: str) -> str:
    if not is_slug(value):
        raise ValueError(_SLUG_RULE)
    return value


def _check_line(value: str) -> str:
    text = value.strip()
    if not text.isprintable():
        raise ValueError("must have no control characters")
    return text


def _check_name(value: str) -> str:
    text = _check_line(value)
    if not text:
        raise ValueError("must have a visible character")
    return text


def _check_id(value: str) -> str:
    if not is_id(value):
        raise ValueError("must be a gateway's id: 32 hexadecimal digits")
    return value


class SetParts(BaseModel):
    """What is said of a set, but for its gateways."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(max_length=200), AfterValidator(_check_name)] | None = Field(
        None, description="What people read; null: the slug."
    )
    description: Annotated[str, Field(max_length=500), AfterValidator(_check_line)] | None = Field(
        None, description="What it is for."
    )
    allowed_users: AllowedUsers | None = Field(
        None, description="Who may use it, as with a gateway; empty: everyone who is signed in."
    )


class SetBody(SetParts):
    """The body of ``POST /sets`` (``slug`` is needed) and ``PUT /sets/{slug}``. An absent key keeps what is there."""

    slug: Annotated[str, AfterValidator(_check_slug)] | None = Field(
        None, description="The last part of its URL, which does not change."
    )
    gateways: Annotated[list[Annotated[str, AfterValidator(_check_id)]], Field(max_length=MOST_GATEWAYS)] | None = (
        Field(None, description="Ids of gateways, in the order in which people see them.")
    )
    revision: Annotated[int, Field(ge=1)] | None = Field(
        None, description="If given, the change holds only for that revision."
    )
    url: str | None = Field(None, description="Only read.")
    created_at: str | None = Field(None, description="Only read.")
    updated_at: str | None = Field(None, description="Only read.")

    def given(self) -> dict[str, Any]:
        """The keys about the set itself that were in the body, with what they hold."""
        keys = self.model_fields_set & {"name", "description", "gateways", "allowed_users"}
        return {key: getattr(self, key) for key in keys}


def parse_set_body(document: object) -> SetBody:
    """Read what was entered.

    Raises:
        InvalidRequest: it does not hold; the text names each member.
    """
    return parse_body(SetBody, document, example='{"slug": "dev", "gateways": []}')


def build_set(body: SetBody, *, known: Collection[str], now: datetime) -> GatewaySet:
    """The set that was entered.

    Args:
        body: what was entered.
        known: the ids of the gateways that there are.
        now: the moment.

    Raises:
        InvalidRequest: the slug is missing, or a gateway is not there.
    """
    if body.slug is None:
        raise InvalidRequest("slug is missing", remedy='Send the last part of its URL, as in {"slug": "dev"}.')
    return change_set(GatewaySet(body.slug, body.slug, "", (), (), now, now), body, known=known, now=now)


def change_set(earlier: GatewaySet, body: SetBody, *, known: Collection[str], now: datetime) -> GatewaySet:
    """The set as it will be. A gateway that is gone since leaves it by the way.

    Raises:
        InvalidRequest: another slug is named, or a gateway that is not there.
    """
    if body.slug not in {None, earlier.slug}:
        raise InvalidRequest("slug: a set's slug does not change", remedy="Make another set, and remove this one.")
    given = body.given()
    wanted = earlier.gateways if "gateways" not in given else tuple(dict.fromkeys(given["gateways"] or ()))
    missing = [each for each in wanted if each not in known and each not in earlier.gateways]
    if missing:
        raise InvalidRequest(f"gateways: there is no gateway {missing[0]}")
    return replace(
        earlier,
        name=given.get("name", earlier.name) or earlier.slug,
        description=given.get("description", earlier.description) or "",
        gateways=tuple(each for each in wanted if each in known),
        allowed_users=tuple(dict.fromkeys(given.get("allowed_users", earlier.allowed_users) or ())),
        updated_at=now,
    )
