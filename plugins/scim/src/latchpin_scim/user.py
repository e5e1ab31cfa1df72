"""A user as the directory has it, and what of it counts here. Pure.

Latchpin knows people by their addresses: ``userName`` where it is one, and each of ``emails``. What else a directory
sends about people is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latchpin.errors import InvalidRequest
from latchpin.sdk.identity import parse_email

from latchpin_scim.errors import ScimError

__all__ = ["USER", "User", "fold", "parse_active", "parse_user", "with_members"]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
MOST_ADDRESSES = 100
"""Of one user, since they were created. None is dropped: its end would be nobody's."""
_LONGEST = 255
"""Characters of a name or id of the directory's."""


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    Attributes:
        id: ours.
        user_name, external_id, display_name: the directory's; ``""``: none.
        emails: as the directory sent them, the addresses alone.
        addresses: every address that the user has or had: all of them are out when the user is.
    """

    id: str
    user_name: str
    external_id: str
    display_name: str
    active: bool
    emails: tuple[str, ...]
    addresses: tuple[str, ...]
    created_at: datetime
    changed_at: datetime
    revision: int = 0

    def render(self, location: str) -> dict[str, Any]:
        """As the directory reads it (RFC 7643 section 4.1)."""
        body: dict[str, Any] = {
            "schemas": [USER],
            "id": self.id,
            "userName": self.user_name,
            "active": self.active,
            "emails": [{"value": each, "primary": at == 0} for at, each in enumerate(self.emails)],
            "meta": {
                "resourceType": "User",
                "created": self.created_at.isoformat(),
                "lastModified": self.changed_at.isoformat(),
                "location": location,
            },
        }
        named = {"externalId": self.external_id, "displayName": self.display_name}
        return body | {name: value for name, value in named.items() if value}


def parse_user(body: object, *, id: str, now: datetime, earlier: User | None = None) -> User:  # noqa: A002  SCIM's
    """Read a user as it was sent as a whole; ``earlier`` is what it replaces.

    Without ``active`` a user is active (RFC 7643 section 4.1.1 leaves it to us), or what they were before.

    Raises:
        ScimError: it cannot be, or there is no address in it.
    """
    if not isinstance(body, dict):
        raise ScimError(400, "the body must be a JSON object", "invalidSyntax")
    empty = User(id, "", "", "", True, (), (), now, now)
    if earlier is not None:
        empty = replace(
            empty,
            active=earlier.active,
            addresses=earlier.addresses,
            created_at=earlier.created_at,
            revision=earlier.revision,
        )
    return with_members(empty, body)


def with_members(user: User, body: Mapping[str, Any]) -> User:
    """The user with those members that ``body`` has; names count in any case (RFC 7643 section 2.1).

    Raises:
        ScimError: one of them does not hold, or no address is left.
    """
    members: dict[str, Any] = {}
    for name, value in body.items():
        folded = name.lower().removeprefix(f"{USER.lower()}:")
        if folded in members:
            raise ScimError(400, f"{folded[:40]!a} is given twice", "invalidSyntax")
        members[folded] = value
    if "id" in members and members["id"] not in (user.id, None, ""):
        raise ScimError(400, "id cannot be changed", "mutability")
    if "username" in members:
        user = replace(user, user_name=_text(members, "username", "userName"))
    if "externalid" in members:
        user = replace(user, external_id=_text(members, "externalid", "externalId"))
    if "displayname" in members:
        user = replace(user, display_name=_text(members, "displayname", "displayName"))
    if "active" in members:
        user = replace(user, active=parse_active(members["active"]))
    if "emails" in members:
        user = replace(user, emails=_parse_emails(members["emails"]))
    if not user.user_name:
        raise ScimError(400, "userName is required", "invalidValue")
    return replace(user, addresses=_gather(user))


def parse_active(value: object) -> bool:
    """Whether a user is active: a boolean, or as Entra ID sends one, ``"False"``.

    Raises:
        ScimError: it is neither; nothing is guessed.
    """
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("value")
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ScimError(400, "active must be true or false", "invalidValue")


def fold(user_name: str) -> str:
    """By what a ``userName`` is compared: it is not case exact (RFC 7643 section 4.1.1)."""
    return user_name.casefold()


def _text(members: Mapping[str, Any], folded: str, name: str) -> str:
    value = members[folded]
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        raise ScimError(400, f"{name} must be text of at most {_LONGEST} characters", "invalidValue")
    return value


def _parse_emails(value: object) -> tuple[str, ...]:
    """The addresses, the primary one first."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ScimError(400, "emails must be a list of objects, each with value", "invalidValue")
    ordered = sorted(value, key=lambda each: each.get("primary") not in (True, "true", "True"))
    found = []
    for each in ordered:
        text = each.get("value")
        if text in (None, ""):
            continue
        try:
            found.append(parse_email(text))
        except InvalidRequest as exc:
            raise ScimError(400, f"emails: {exc.detail}", "invalidValue") from None
    return tuple(dict.fromkeys(found))


def _gather(user: User) -> tuple[str, ...]:
    """Every address of the user, the present ones first.

    Raises:
        ScimError: there is none by which anybody would be known here, or there are more than ``MOST_ADDRESSES``.
    """
    present = list(user.emails)
    with suppress(InvalidRequest):
        present.insert(0, parse_email(user.user_name))
    if not present:
        raise ScimError(
            400, "neither userName nor emails has an address, by which people are known here", "invalidValue"
        )
    addresses = tuple(dict.fromkeys([*present, *user.addresses]))
    if len(addresses) > MOST_ADDRESSES:
        raise ScimError(
            400, f"a user has at most {MOST_ADDRESSES} addresses, earlier ones too; delete it first", "invalidValue"
        )
    return addresses
