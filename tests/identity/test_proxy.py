"""The trusted proxy's header: believed from listed sockets only, and never on the word of another header."""

from __future__ import annotations

import pytest
from latchpin.errors import NotSignedIn
from latchpin.identity.proxy import ProxyIdentity
from latchpin.model import Evidence

IDENTITY = ProxyIdentity("X-User", ("10.9.9.9", "fd00::/8"))


def evidence(peer: str, **headers: str) -> Evidence:
    named = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    return Evidence(peer, {"x-user": ("ann@example.com",), **named}, {})


async def test_a_listed_proxy_names_the_user():
    caller = await IDENTITY.identify(evidence("10.9.9.9", x_forwarded_for="203.0.113.5"))
    assert caller is not None
    assert (caller.email, caller.via) == ("ann@example.com", "proxy")


async def test_from_anybody_else_the_header_is_nothing():
    assert await IDENTITY.identify(evidence("10.9.9.8")) is None
    assert await IDENTITY.identify(evidence("", x_forwarded_for="10.9.9.9")) is None


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("10.9.9.9", "10.9.9.9"),
        ("10.9.9.9", "203.0.113.5, 10.9.9.9"),
        ("10.9.9.9", "10.9.9.9:4711"),
        ("fd00::1", "[fd00::1]:4711"),
        ("fd00::1", "fd00::1"),
    ],
)
async def test_a_peer_that_stands_in_the_forwarding_header_may_have_been_written_there(peer, forwarded):
    with pytest.raises(NotSignedIn, match="X-Forwarded-For"):
        await IDENTITY.identify(evidence(peer, x_forwarded_for=forwarded))
