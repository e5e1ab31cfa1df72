"""What a directory reads about this server: what it can do, and what it keeps (RFC 7643 sections 5 to 7). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latchpin_scim.user import USER

__all__ = ["LISTED", "MOST_LISTED", "find_schema", "find_type", "provider_config", "render_list", "schemas", "types"]

LISTED = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
MOST_LISTED = 200
_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"


def provider_config(base: str) -> dict[str, Any]:
    """What there is: users, one filter, PATCH. No groups, no bulk, no sorting, no passwords, no versions."""
    no = {"supported": False}
    return {
        "schemas": [_CONFIG],
        "patch": {"supported": True},
        "bulk": {**no, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_LISTED},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The token that SCIM_TOKEN holds. Groups are not kept here: people's groups are told by "
                "their tokens and sign-ins.",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def types(base: str) -> list[dict[str, Any]]:
    """What is kept: users alone."""
    return [
        {
            "schemas": [_TYPE],
            "id": "User",
            "name": "User",
            "endpoint": "/Users",
            "description": "Somebody whom the directory has",
            "schema": USER,
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/User"},
        }
    ]


def find_type(base: str, name: str) -> dict[str, Any] | None:
    """One of them by its id."""
    return next((each for each in types(base) if each["id"] == name), None)


def schemas(base: str) -> list[dict[str, Any]]:
    """What of a user is kept."""
    value = _attribute("value", "An address.")
    primary = _attribute("primary", "Whether it is the first.", kind="boolean")
    return [
        {
            "schemas": [_SCHEMA],
            "id": USER,
            "name": "User",
            "description": "What of a user is kept here",
            "attributes": [
                _attribute("userName", "The directory's name for them.", required=True, uniqueness="server"),
                _attribute("externalId", "The directory's id for them.", exact=True),
                _attribute("displayName", "Their name."),
                _attribute("active", "false: they are out.", kind="boolean"),
                _attribute("emails", "Their addresses.", kind="complex", many=True)
                | {"subAttributes": [value, primary]},
            ],
            "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{USER}"},
        }
    ]


def find_schema(base: str, name: str) -> dict[str, Any] | None:
    """One of them by its URN."""
    return next((each for each in schemas(base) if each["id"] == name), None)


def render_list(resources: Sequence[dict[str, Any]], *, total: int | None = None, start: int = 1) -> dict[str, Any]:
    """A list as it is answered (RFC 7644 section 3.4.2)."""
    return {
        "schemas": [LISTED],
        "totalResults": len(resources) if total is None else total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def _attribute(
    name: str,
    about: str,
    *,
    kind: str = "string",
    required: bool = False,
    many: bool = False,
    exact: bool = False,
    uniqueness: str = "none",
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "description": about,
        "multiValued": many,
        "required": required,
        "caseExact": exact,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": uniqueness,
    }
