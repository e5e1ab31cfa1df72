"""``auth_type: api_key``: the key goes into a header field, behind a prefix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from latchpin.errors import InvalidRequest
from latchpin.model import ApiKeyConfig

from latchpin_api_keys.rules import AUTHORIZATION, check_header, check_prefix, choose_prefix, explain_key

__all__ = ["HeaderKeys"]

_DEFAULT = ApiKeyConfig(AUTHORIZATION, choose_prefix(AUTHORIZATION))


@dataclass(frozen=True, slots=True)
class HeaderKeys:
    """Shows a key as it was entered. Implements ``latchpin.contracts.AuthScheme``."""

    name: str = "api_key"
    label: str = "API key, in a header field"
    page: str = "/gateways/{gateway_id}/key"

    def change_place(self, earlier: ApiKeyConfig | None, given: Mapping[str, str | None] | None) -> ApiKeyConfig:
        """Say where the key goes: another field has its own usual prefix, unless the change says one.

        Raises:
            InvalidRequest: the field is not a key's, or the prefix cannot be sent.
        """
        earlier, given = earlier or _DEFAULT, given or {}
        _check("header", given.get("header"), check_header)
        _check("prefix", given.get("prefix"), check_prefix)
        header = (given["header"] or AUTHORIZATION) if "header" in given else earlier.header
        prefix = given.get("prefix", earlier.prefix if header.lower() == earlier.header.lower() else None)
        return ApiKeyConfig(header, choose_prefix(header) if prefix is None else prefix)

    def explain_key(self, key: str) -> str | None:
        """Say why this cannot be a key; see ``latchpin_api_keys.rules``."""
        return explain_key(key)

    def headers(self, place: ApiKeyConfig | None) -> Sequence[str]:
        """The one field, in lower case."""
        return ((place or _DEFAULT).header.lower(),)

    async def fields(
        self,
        key: str,
        place: ApiKeyConfig | None,
        *,
        method: str,  # noqa: ARG002  the contract's
        url: str,  # noqa: ARG002  the contract's
    ) -> Sequence[tuple[str, str]]:
        """The prefix and the key."""
        place = place or _DEFAULT
        return ((place.header, f"{place.prefix}{key}"),)


def _check(member: str, value: str | None, check: Callable[[str], str]) -> None:
    """Somebody may have taken the member for the place of the key itself, so its value is not repeated."""
    if value is None:
        return
    try:
        check(value)
    except ValueError as exc:
        raise InvalidRequest(f"api_key.{member} holds **********: {exc}") from None
