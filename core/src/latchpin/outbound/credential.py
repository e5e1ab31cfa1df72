"""What shows an MCP server for whom a request is: an access token, bound to a key or not, or a key that was entered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from latchpin.contracts import AuthScheme
from latchpin.model import ApiKeyConfig
from latchpin.outbound.proofs import TokenProof

__all__ = ["FIELD", "Credential"]

FIELD: Final = "authorization"
"""The field of an access token, in lower case (RFC 6750 section 2.1)."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret that is open, and how it is shown. Never stored, never logged.

    Attributes:
        secret: the access token, or the key that was entered.
        proof: proves the key that the token is bound to (RFC 9449); None: it is bound to none.
        scheme: shows a key that was entered; None: it is a token.
        place: where such a key goes, if the scheme has several places.
    """

    secret: str = field(repr=False)
    proof: TokenProof | None = None
    scheme: AuthScheme | None = None
    place: ApiKeyConfig | None = None

    @property
    def headers(self) -> Sequence[str]:
        """The fields that it goes in, in lower case: no other request's fields of these names go along."""
        return (FIELD,) if self.scheme is None else self.scheme.headers(self.place)

    async def fields(self, method: str, url: str) -> Sequence[tuple[str, str]]:
        """The header fields that show it in one request (RFC 6750 section 2.1, RFC 9449 section 7.1).

        Raises:
            BackendUnavailable: the key that a token is bound to cannot be read from the store.
            LatchpinError: as ``AuthScheme.fields`` does.
        """
        if self.scheme is not None:
            return await self.scheme.fields(self.secret, self.place, method=method, url=url)
        if self.proof is not None:
            return await self.proof.fields(method, url)
        return ((FIELD, f"Bearer {self.secret}"),)
