"""The variables about how callers are known."""

from __future__ import annotations

from pydantic import Field, SecretStr

from latchpin.settings import Settings
from latchpin.settings.core import Words

__all__ = ["BearerSettings", "TrustedProxySettings"]


class BearerSettings(Settings):
    """The variables about callers' bearer tokens; ``CoreSettings`` checks how they fit together."""

    jwt_secret_key: SecretStr | None = Field(None, description="Key of callers' bearer tokens (HS256).")
    jwt_jwks_url: str | None = Field(None, description="Where the keys of callers' bearer tokens are published.")
    jwt_issuer: str | None = Field(None, description="Required iss of callers' bearer tokens.")
    jwt_audience: str | None = Field(None, description="Required aud of callers' bearer tokens.")
    jwt_email_claim: str = Field("email", description="Claim that holds the caller's address.")
    jwt_groups_claim: str | None = Field(None, description="Claim that lists the caller's groups.")


class TrustedProxySettings(Settings):
    """The variables about the trusted proxy."""

    trusted_user_header: str | None = Field(None, description="Header in which a trusted proxy names the user.")
    trusted_proxies: Words = Field((), description="Addresses or networks of those proxies.")
