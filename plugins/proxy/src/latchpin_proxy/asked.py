"""What a caller asked, read where it could not be passed on, so that the answer is one that its program can use. Pure.

What a program can do it declares: in each request with 2026-07-28, at ``initialize`` before that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["INTERACTIVE", "MODERN", "URLS_SINCE", "Asked", "Asks", "parse_asked", "read_asks"]

Asks = Literal["links", "forms", "nothing"]
"""What a program asks its person for servers: to open links and all else, to fill in forms only, or nothing."""

MODERN = "2026-07-28"
"""Since this version each request says by itself what its sender can do, and is asked back within it."""
URLS_SINCE = "2025-11-25"
"""Since this version a person can be asked to open a link (elicitation, mode ``url``)."""
INTERACTIVE = frozenset({"tools/call", "prompts/get", "resources/read"})
"""What may be answered with a question (2026-07-28, ``InputRequiredResult``)."""

_VERSION = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


@dataclass(frozen=True, slots=True)
class Asked:
    """A JSON-RPC request.

    Attributes:
        id: its own, for the answer.
        params: as they came; empty where there are none.
        modern: it is one of 2026-07-28 or later.
        opens_links: it declares that its program asks the person to open links.
    """

    id: str | int
    method: str
    params: Mapping[str, Any] = field(repr=False)
    modern: bool = False
    opens_links: bool = False


def parse_asked(body: bytes | None) -> Asked | None:
    """The request in a body; None where there is none that wants an answer, or none that could be read."""
    message = _read(body)
    asked_id, method = message.get("id"), message.get("method")
    if not isinstance(asked_id, str | int) or isinstance(asked_id, bool) or not isinstance(method, str):
        return None
    params = _object(message.get("params"))
    meta = _object(params.get("_meta"))
    version = meta.get(_VERSION)
    modern = isinstance(version, str) and version >= MODERN
    return Asked(asked_id, method, params, modern, modern and _elicits_urls(_object(meta.get(_CAPABILITIES))))


def read_asks(body: bytes | None) -> Asks | None:
    """What a program declares that asks to begin a session; None where a body does not ask for that."""
    if body is None or b'"initialize"' not in body:
        return None
    message = _read(body)
    if message.get("method") != "initialize":
        return None
    params = _object(message.get("params"))
    version, capabilities = params.get("protocolVersion"), _object(params.get("capabilities"))
    if isinstance(version, str) and version >= URLS_SINCE and _elicits_urls(capabilities):
        return "links"
    return "forms" if "elicitation" in capabilities else "nothing"


def _elicits_urls(capabilities: Mapping[str, Any]) -> bool:
    """An empty ``elicitation`` means forms alone (2025-11-25, elicitation, capabilities)."""
    return isinstance(_object(capabilities.get("elicitation")).get("url"), dict)


def _read(body: bytes | None) -> Mapping[str, Any]:
    try:
        return _object(json.loads(body or b""))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
