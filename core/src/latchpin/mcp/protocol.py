"""The words of MCP that are needed here, of both eras: 2026-07-28 (stateless) and 2025-11-25 and before (sessions)."""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "CAPABILITIES",
    "CLIENT_INFO",
    "ENVELOPE",
    "HEADER_MISMATCH",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "LOG_LEVEL",
    "METHOD_NOT_FOUND",
    "MODERN",
    "NAMED_BY",
    "PARSE_ERROR",
    "RESOURCE_NOT_FOUND",
    "SESSIONS",
    "STATUSES",
    "UNSUPPORTED_VERSION",
    "VERSION",
    "Era",
]

Era = Literal["modern", "sessions"]
"""How a program or a server speaks: each request by itself, or in sessions that ``initialize`` begins."""

MODERN: Final = "2026-07-28"
SESSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The versions with sessions, the newest last."""

VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
ENVELOPE: Final = (VERSION, CAPABILITIES, CLIENT_INFO, LOG_LEVEL)
"""What each request of 2026-07-28 says in ``_meta`` about its sender."""

NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""By which member these name what they are about; with 2026-07-28 the header ``Mcp-Name`` repeats it."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022

STATUSES: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""The HTTP status of an error's answer, with 2026-07-28; 200 where none is named."""
