"""What the plugin reads."""

from __future__ import annotations

from typing import Self

from latchpin import Settings
from latchpin.sdk.urls import check_url
from pydantic import Field, SecretStr, field_validator, model_validator

__all__ = ["EnterpriseSettings"]


class EnterpriseSettings(Settings):
    """Who vouches for gateways that name nobody themselves."""

    identity_provider: str | None = Field(None, description="Issuer of the identity provider that vouches for users.")
    identity_provider_token_url: str | None = Field(None, description="Its token endpoint, if it publishes none.")
    identity_provider_client_id: str | None = Field(None, description="This gateway's client there.")
    identity_provider_client_secret: SecretStr | None = Field(None, description="That client's secret.")
    assertion_folder: str | None = Field(None, description="Folder of the JWTs that vouch for this workload.")

    @field_validator("identity_provider", "identity_provider_token_url")
    @classmethod
    def _check_asked(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if bool(self.identity_provider) != bool(self.identity_provider_client_id):
            raise ValueError("IDENTITY_PROVIDER and IDENTITY_PROVIDER_CLIENT_ID must be set together or not at all")
        return self
