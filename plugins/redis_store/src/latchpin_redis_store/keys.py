"""The names of the records' keys. Pure.

One server keeps them under ``latchpin:``. A cluster wants all keys of a script in one slot, and the scripts that write
a token look at its gateway, so there all of them begin with ``{latchpin}:``, the hash tag that puts them together.
States and collections are called the same everywhere: a state is one key, and a collection has a tag of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLUSTERED", "PLAIN", "Keys"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under one prefix.

    Attributes:
        prefix: how all of them begin.
    """

    prefix: str

    @property
    def gateways(self) -> str:
        """A hash, id to gateway."""
        return f"{self.prefix}gateways"

    @property
    def clients(self) -> str:
        """A hash, id to registered client."""
        return f"{self.prefix}clients"

    @property
    def renewals(self) -> str:
        """A sorted set of the tokens that are to be renewed."""
        return f"{self.prefix}renewals"

    @property
    def counted(self) -> tuple[str, str, str]:
        """By these sorted sets tokens are counted without being read. Their scores are microseconds."""
        return f"{self.prefix}token-ends", f"{self.prefix}token-near", f"{self.prefix}token-spent"

    def below(self, gateway_id: str, kind: str) -> str:
        """One of a gateway's own: its ``tokens``, ``issuers`` or ``labelled``."""
        return f"{self.prefix}{{{gateway_id}}}:{kind}"


PLAIN = Keys("latchpin:")
CLUSTERED = Keys("{latchpin}:")
