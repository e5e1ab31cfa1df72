"""What a route says of itself besides its arguments and answers, for whoever describes the API (OpenAPI 3.1).

A description is made from the routes of the application (``request.app.routes``), by a plugin: nothing here is read to
serve a request. Failures have one shape; a route names their statuses.
"""

from __future__ import annotations

from typing import Any

from latchpin.web.dependencies import ADMINISTRATOR

__all__ = ["FOR_ADMINISTRATORS", "HTML", "problems"]

HTML: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
"""The content of an answer that is a page for who accepts ``text/html``."""

FOR_ADMINISTRATORS = [{name: [ADMINISTRATOR]} for name in ("bearer", "session", "proxy")]
"""The security requirement of an operation that asks by itself who it is, and serves administrators."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures of an operation: problem documents (RFC 9457), or pages for who accepts ``text/html``."""
    return {status: {"content": {"application/problem+json": {}}} for status in statuses}
