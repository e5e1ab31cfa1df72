"""The MCP endpoints that plugins serve, as protected resources that clients get tokens for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from latchpin.model import Caller, Gateway

__all__ = ["ProtectedResource", "ProtectedResources"]


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """An MCP endpoint of this gateway (RFC 9728).

    Attributes:
        url: identifies it: what clients send as ``resource`` (RFC 8707), and the ``aud`` of the tokens that they get.
        name: what people read.
        gateways: whose MCP servers stand behind it.
    """

    url: str
    name: str
    gateways: tuple[Gateway, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProtectedResources:
    """The endpoints that one plugin serves. Both functions are given the running gateway (``Application``).

    Attributes:
        find: gives the endpoint of exactly that URL; None where there is none that the caller may use.
        list: gives those that the caller may use, in the order in which people see them.
    """

    find: Callable[[Any, str, Caller], Awaitable[ProtectedResource | None]]
    list: Callable[[Any, Caller], Awaitable[Sequence[ProtectedResource]]]
