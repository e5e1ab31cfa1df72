"""The protocol's words, as both sides of MCP write them. Messages are read by the distribution ``latchpin-mcp``.

An ``Era`` is how a program or a server speaks, ``MODERN`` the version without sessions and ``SESSIONS`` those with
them. ``VERSION``, ``CAPABILITIES``, ``CLIENT_INFO`` and ``LOG_LEVEL`` are what a request says in ``_meta`` of its
sender, ``ENVELOPE`` all of them; ``NAMED_BY``: the member by which a method names its object. Errors are
``PARSE_ERROR``, ``INVALID_REQUEST``, ``METHOD_NOT_FOUND``, ``INVALID_PARAMS``, ``INTERNAL_ERROR``,
``RESOURCE_NOT_FOUND``, ``HEADER_MISMATCH`` and ``UNSUPPORTED_VERSION``; ``STATUSES`` has their HTTP status.
"""

from latchpin.mcp.protocol import (
    CAPABILITIES,
    CLIENT_INFO,
    ENVELOPE,
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LOG_LEVEL,
    METHOD_NOT_FOUND,
    MODERN,
    NAMED_BY,
    PARSE_ERROR,
    RESOURCE_NOT_FOUND,
    SESSIONS,
    STATUSES,
    UNSUPPORTED_VERSION,
    VERSION,
    Era,
)
from latchpin.plugins.leaving import finder_of_moved

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

__getattr__ = finder_of_moved(__name__)
