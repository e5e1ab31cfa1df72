"""What of an MCP server's tools somebody may use, and what may be asked of an authorization server for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from latchpin.model import Caller, Gateway

__all__ = ["ScopeCeilings", "ToolGate", "ToolGates", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of one tool.

    Attributes:
        allowed: it may be listed and called.
        rule: what decided, in words for who runs the gateway: no address and nothing secret is in it. Programs and
            their people are not told: to them, a tool that is held back does not exist.
    """

    allowed: bool
    rule: str


class ToolGate(Protocol):
    """What one caller may use of one server's tools, as things stand. Judging does no I/O.

    Two that judge alike should be one object: what was judged by it is remembered under it.
    """

    def judge(self, name: str, definition: Mapping[str, Any] | None) -> Verdict | None:
        """Judge one tool.

        Args:
            name: as the server calls it; in a call, whatever the caller wrote, of any length.
            definition: as the server lists it to this caller, every member as it came; None: it is not known.

        Returns:
            The verdict. None: that takes the definition; it is then asked for, and a tool without one is held back.
        """


class ToolGates(Protocol):
    """One way to hold tools back. All are asked, and what one of them holds back is neither listed nor called."""

    async def of(self, gateway: Gateway, caller: Caller) -> ToolGate | None:
        """The gate between a server and a caller who may use it; None: nothing is held back, and nothing judged.

        Asked for every exchange with the server, so it remembers what it reads; a change counts everywhere within a
        second. Rules hold for administrators too: it is their programs that are held back.

        Raises:
            BackendUnavailable: it cannot be said; nothing passes.
        """


class ScopeCeilings(Protocol):
    """One way to limit the scopes that authorization servers are asked for. All are asked, and all hold."""

    async def of(self, gateway: Gateway, caller: Caller) -> frozenset[str] | None:
        """The only scopes that may be asked for at a gateway for a caller; None: any.

        Where a token serves all, ``caller.email`` is ``CLIENT_ITSELF`` or ``COMPANY``, and no rule about people holds.

        Raises:
            BackendUnavailable: it cannot be said; nobody is sent to the authorization server.
        """
