"""The scheme of RFC 7617, as somebody else's plugin may offer it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

import latchpin
from latchpin.contracts import AuthScheme
from latchpin.errors import InvalidRequest
from latchpin.model import ApiKeyConfig

__all__ = ["Basic", "latchpin_auth_schemes"]


class Basic:
    name = "basic"
    label = "User name and password"
    page = "/acme/{gateway_id}/password"

    def change_place(self, earlier: ApiKeyConfig | None, given: Mapping[str, str | None] | None) -> None:
        if any(value is not None for value in (given or {}).values()):
            raise InvalidRequest("api_key is given, and a password always goes in Authorization")

    def explain_key(self, key: str) -> str | None:
        return None if ":" in key and key.isprintable() else "a user name and a password have a colon between them"

    def headers(self, place: ApiKeyConfig | None) -> Sequence[str]:
        return ("authorization",)

    async def fields(self, key: str, place: ApiKeyConfig | None, *, method: str, url: str) -> Sequence[tuple[str, str]]:
        return (("Authorization", f"Basic {b64encode(key.encode()).decode()}"),)


@latchpin.hookimpl
def latchpin_auth_schemes() -> Sequence[AuthScheme]:
    return [Basic()]
