"""On whose word a gateway gets its tokens: what follows from an entry's grant type, in one place."""

from __future__ import annotations

from typing import Literal

from latchpin.model import JWT_BEARER, OAuthConfig

__all__ = ["Voucher", "grant_subject"]

Voucher = Literal["person", "client", "workload", "identity-provider"]
"""Who vouches: a person in a browser, the gateway's client, its workload, or each person's identity provider."""


def grant_subject(config: OAuthConfig) -> Voucher:
    """Who vouches for the tokens of a gateway with this entry.

    The tokens of ``client`` and ``workload`` are the gateway's own, those of the other two are each user's.
    """
    if config.grant_type == "authorization_code":
        return "person"
    if config.grant_type != JWT_BEARER:
        return "client"
    return "workload" if config.assertion is not None or config.assertion_file is not None else "identity-provider"
