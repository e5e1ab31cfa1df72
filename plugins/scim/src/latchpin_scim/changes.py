"""PATCH (RFC 7644 section 3.5.2), also as Entra ID and Okta send it. Pure.

Both send operations on attributes that are not kept here; those change nothing. What is kept is read strictly.
"""

from __future__ import annotations

import re
from typing import Any

from latchpin_scim.errors import ScimError
from latchpin_scim.user import USER, User, with_members

__all__ = ["apply_changes"]

MOST = 100
"""Operations in one request."""

_OPERATIONS = frozenset({"add", "replace", "remove"})
_PATH = re.compile(r"[A-Za-z0-9:._$-]{1,200}(\[[^\[\]]{1,200}\])?(\.[A-Za-z0-9$_-]{1,80})?", re.ASCII)
_KEPT = frozenset({"username", "externalid", "displayname", "active", "emails"})


def apply_changes(user: User, body: object) -> User:
    """The user after all operations, in their order; all of them, or none.

    Raises:
        ScimError: one is malformed, or leaves what cannot be.
    """
    if not isinstance(body, dict):
        raise ScimError(400, "the body must be a JSON object", "invalidSyntax")
    operations = next((value for name, value in body.items() if name.lower() == "operations"), None)
    if not isinstance(operations, list) or not 0 < len(operations) <= MOST:
        raise ScimError(400, f"Operations must be a list of 1 to {MOST}", "invalidSyntax")
    for operation in operations:
        user = _apply(user, operation)
    return user


def _apply(user: User, operation: object) -> User:
    if not isinstance(operation, dict):
        raise ScimError(400, "each operation is an object", "invalidSyntax")
    given = {name.lower(): value for name, value in operation.items()}
    act, path = given.get("op"), given.get("path")
    if not isinstance(act, str) or act.lower() not in _OPERATIONS:
        raise ScimError(400, "op must be add, replace or remove", "invalidSyntax")
    if path in (None, ""):
        return _apply_all(user, act.lower(), given)
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ScimError(400, "a path cannot be read", "invalidPath")
    return _apply_one(user, act.lower(), path, given)


def _apply_all(user: User, act: str, given: dict[str, Any]) -> User:
    """Without a path: the value has the members."""
    value = given.get("value")
    if act == "remove":
        raise ScimError(400, "remove needs a path", "noTarget")
    if not isinstance(value, dict):
        raise ScimError(400, "without a path, value must be an object", "invalidValue")
    members = {}
    for name, each in value.items():
        if not isinstance(name, str) or not _PATH.fullmatch(name):
            raise ScimError(400, "a path cannot be read", "invalidPath")
        head = _head(name)
        if head == name.lower().removeprefix(f"{USER.lower()}:"):
            members[name] = each
        else:
            user = _apply_one(user, act, name, {"value": each})
    return _with(user, act, members)


def _apply_one(user: User, act: str, path: str, given: dict[str, Any]) -> User:
    head, whole = _head(path), path.lower().removeprefix(f"{USER.lower()}:")
    if head not in _KEPT and head != "id":
        return user
    if act == "remove":
        if head in {"active", "username"}:
            raise ScimError(400, f"{head} cannot be removed", "mutability")
        return with_members(user, {head: None})
    if "value" not in given:
        raise ScimError(400, "value is missing", "invalidValue")
    if head != "emails":
        if whole != head:
            raise ScimError(400, "a path cannot be read", "invalidPath")
        return _with(user, act, {head: given["value"]})
    if whole.endswith(".value"):  # as in emails[type eq "work"].value
        return with_members(user, {"emails": [{"value": given["value"], "primary": True}]})
    if whole != head:
        return user  # the type of an address, and whether it is the primary one, is not kept
    return _with(user, act, {head: given["value"]})


def _with(user: User, act: str, members: dict[str, Any]) -> User:
    kept = {name: value for name, value in members.items() if _head(name) in {*_KEPT, "id"}}
    if act == "add":
        for name, value in kept.items():
            if _head(name) == "emails" and isinstance(value, list):
                kept[name] = [{"value": each} for each in user.emails] + value
    return with_members(user, kept)


def _head(path: str) -> str:
    """The attribute that a path is about, in lower case; of an extension's, all of it."""
    whole = path.lower().removeprefix(f"{USER.lower()}:")
    return whole if whole.startswith("urn:") else re.split(r"[.\[]", whole, maxsplit=1)[0]
