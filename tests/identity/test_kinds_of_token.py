"""Several identities answer for one scheme: what one recognizes, the others are not asked about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from latchpin.errors import NotSignedIn
from latchpin.model import Caller, Evidence
from latchpin.web.identity import _identify


class TokensOf:
    """Takes ``good-<prefix>`` and refuses all others."""

    schemes = frozenset({"bearer"})

    def __init__(self, email: str, good: str) -> None:
        self._caller = Caller(email)
        self._good = good

    async def identify(self, evidence: Evidence) -> Caller | None:
        presented = evidence.headers.get("authorization")
        if presented is None:
            return None
        if presented != (f"Bearer {self._good}",):
            raise NotSignedIn("refused")
        return self._caller


class OwnKind(TokensOf):
    """Knows its tokens by how they begin."""

    def recognizes(self, credentials: str) -> bool:
        return credentials.startswith("own-")


async def identified(token: str, *identities: Any) -> Caller | None:
    services: Any = SimpleNamespace(identities=identities, settings=SimpleNamespace(admin_emails=(), base_url="b"))
    return await _identify(services, Evidence("", {"authorization": (f"Bearer {token}",)}, {}))


ANY, OWN = TokensOf("any@example.com", "good"), OwnKind("own@example.com", "own-good")


@pytest.mark.parametrize("order", [(ANY, OWN), (OWN, ANY)])
async def test_each_is_asked_about_its_own_kind(order):
    assert (await identified("own-good", *order)).email == "own@example.com"
    assert (await identified("good", *order)).email == "any@example.com"


@pytest.mark.parametrize("token", ["own-bad", "bad", "good-own-"])
@pytest.mark.parametrize("order", [(ANY, OWN), (OWN, ANY)])
async def test_what_does_not_hold_falls_through_to_nobody(order, token: str):
    with pytest.raises(NotSignedIn, match="refused"):
        await identified(token, *order)


async def test_what_nobody_recognizes_and_nobody_is_left_to_ask_is_refused():
    with pytest.raises(NotSignedIn, match="nothing here answers"):
        await identified("good", OWN)
