"""What shows an MCP server for whom a request is: an access token, bound to a key or not, or an API key."""

from __future__ import annotations

from dataclasses import dataclass, field

from latchpin.model import ApiKeyConfig
from latchpin.outbound.proofs import TokenProof

__all__ = ["Credential"]

_AUTHORIZATION = "authorization"


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret that is open, and how it is shown. Never stored, never logged.

    Attributes:
        secret: the access token, or the API key.
        proof: proves the key that the token is bound to (RFC 9449); None: it is bound to none.
        place: where an API key goes; None: it is a token.
    """

    secret: str = field(repr=False)
    proof: TokenProof | None = None
    place: ApiKeyConfig | None = None

    @property
    def header(self) -> str:
        """The field that it goes in, in lower case: no other request's field of that name goes along."""
        return _AUTHORIZATION if self.place is None else self.place.header.lower()

    async def fields(self, method: str, url: str) -> tuple[tuple[str, str], ...]:
        """The header fields that show it in one request (RFC 6750 section 2.1, RFC 9449 section 7.1).

        Raises:
            BackendUnavailable: the key that a token is bound to cannot be read from the store.
        """
        if self.place is not None:
            return ((self.place.header, f"{self.place.prefix}{self.secret}"),)
        if self.proof is not None:
            return await self.proof.fields(method, url)
        return ((_AUTHORIZATION, f"Bearer {self.secret}"),)
