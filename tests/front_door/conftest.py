"""The MCP server behind the gateway with its authorization server, what may come over it, and whom it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from latchpin_demo import front_channel
from latchpin_demo.state import SCOPES

from tests.providers import FaultSwitch, start_fault_switch
from tests.providers.faults import status

CLIENTS = ("Python SDK", "FastMCP", "TypeScript SDK 1", "TypeScript SDK 2", "mcp-remote", "Inspector")
PEOPLE = {client: f"{client.lower().replace(' ', '-')}@example.com" for client in CLIENTS}
"""Who sits before each client. They leave one by one, so each has a person of its own."""

SCOPE_TO_WRITE = "mcp:write"
"""What the server may want beside what it asks for at first."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The server.

    Attributes:
        mcp_url: where it is.
        tool: one of its tools: it says who calls.
        sign_in: the title of the page at which it asks who somebody is.
        consent: the title of the page at which it asks what the gateway may do.
        end_tokens: it takes none of its tokens any more.
        want_more: it wants ``SCOPE_TO_WRITE`` too for the next message; None where it never does.
        gave_more: how many tokens it gave with that.
    """

    mcp_url: str
    tool: str
    sign_in: str
    consent: str
    end_tokens: Callable[[], None]
    want_more: Callable[[], None] | None = None
    gave_more: Callable[[], int] = lambda: 0


def demo_behind(switch: FaultSwitch) -> Behind:
    """The demo's servers."""
    ledger = switch.accounts.ledger

    def end_tokens() -> None:
        for grant in [*ledger._refresh.values(), *(grant for grant, _ in ledger._access.values())]:
            grant.revoked = True

    def want_more() -> None:  # not for the stream that some clients keep open besides: they ask for it when they like
        challenge = f'Bearer error="insufficient_scope", scope="{SCOPE_TO_WRITE}"'
        switch.arm("mcp", status(403, www_authenticate=challenge), times=1, method="POST")

    def gave_more() -> int:
        return sum(SCOPE_TO_WRITE in grant.scopes for grant, _ in ledger._access.values())

    return Behind(
        mcp_url=switch.provider.mcp_url,
        tool="who_am_i",
        sign_in="Sign in - Demo Accounts",
        consent="Allow access? - Demo Accounts",
        end_tokens=end_tokens,
        want_more=want_more,
        gave_more=gave_more,
    )


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """It gives out a second scope, which its MCP server does not ask for at first."""
    monkeypatch.setitem(SCOPES, SCOPE_TO_WRITE, "Change things")
    monkeypatch.setattr(front_channel, "USERS", tuple(PEOPLE.values()))
    with start_fault_switch() as switch:
        yield demo_behind(switch)
