"""Failures as SCIM tells them (RFC 7644 section 3.12)."""

from __future__ import annotations

from typing import Any

__all__ = ["ERROR", "ScimError", "render_error"]

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(Exception):
    """What the directory asked is not done.

    Attributes:
        status: HTTP's.
        kind: the registered ``scimType``; ``""``: none fits.
    """

    def __init__(self, status: int, detail: str, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind


def render_error(status: int, detail: str, kind: str = "") -> dict[str, Any]:
    """The answer's body; the status is text there."""
    body: dict[str, Any] = {"schemas": [ERROR], "status": str(status), "detail": detail}
    return body | ({"scimType": kind} if kind else {})
