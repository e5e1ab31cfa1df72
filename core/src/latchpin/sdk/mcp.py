"""A message of MCP, judged once: what is decided by it, and the very text that goes on. Pure.

``parse_message`` gives the one ``Message`` in a request, or raises ``Refused`` for what software might read in two
ways: several messages at once, a member that comes twice, another media type or encoding, a header field that says
something else than the body does. What decides by a message decides by this reading, and passes these bytes on::

    message = parse_message(body, request.scope["headers"])
    if message.method == "tools/call":
        name = message.param("name")

``read_object``, ``read_value``, ``read_members`` and ``read_elements`` find each ``Part`` of a JSON text, and
``replace_parts`` changes some of them while every other byte stays as it came; ``TwiceError``: a member comes twice.
``encode_value`` and ``decode_value`` are for header fields that may hold any text; ``says_utf8`` judges a Content-Type.

The protocol's words: an ``Era`` is how a program or a server speaks, ``MODERN`` the version without sessions and
``SESSIONS`` those with them. ``VERSION``, ``CAPABILITIES``, ``CLIENT_INFO`` and ``LOG_LEVEL`` are what a request says
in ``_meta`` of its sender, ``ENVELOPE`` all of them; ``NAMED_BY``: the member by which a method names its object.
Errors are ``PARSE_ERROR``, ``INVALID_REQUEST``, ``METHOD_NOT_FOUND``, ``INVALID_PARAMS``, ``INTERNAL_ERROR``,
``RESOURCE_NOT_FOUND``, ``HEADER_MISMATCH`` and ``UNSUPPORTED_VERSION``; ``STATUSES`` has their HTTP status.
"""

from latchpin.mcp.header_values import decode_value, encode_value
from latchpin.mcp.message import Message, Refused, parse_message, says_utf8
from latchpin.mcp.parts import (
    Part,
    TwiceError,
    read_elements,
    read_members,
    read_object,
    read_value,
    replace_parts,
)
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
    "Message",
    "Part",
    "Refused",
    "TwiceError",
    "decode_value",
    "encode_value",
    "parse_message",
    "read_elements",
    "read_members",
    "read_object",
    "read_value",
    "replace_parts",
    "says_utf8",
]
