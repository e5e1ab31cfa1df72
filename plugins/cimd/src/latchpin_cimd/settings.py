"""The plugin's variables."""

from __future__ import annotations

from typing import Literal

import latchpin
from pydantic import Field, field_validator

from latchpin_cimd.document import check_client_id

__all__ = ["CimdSettings"]


class CimdSettings(latchpin.Settings):
    """What the registrar and the routes read."""

    cimd_enabled: bool = Field(True, description="Whether Client ID Metadata Documents may be used.")
    cimd_url: str | None = Field(
        None,
        description="Public https URL of the client metadata document; {BASE_URL}/oauth/client-metadata.json if unset.",
    )
    cimd_client_name: str = Field(
        "Latchpin", min_length=1, max_length=120, description="The client's name on consent pages."
    )
    cimd_token_endpoint_auth_method: Literal["none", "private_key_jwt"] = Field(
        "none", description="How this client proves itself; private_key_jwt publishes a key made by the gateway."
    )

    @field_validator("cimd_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and (fault := check_client_id(value)) is not None:
            raise ValueError(fault)
        return value
