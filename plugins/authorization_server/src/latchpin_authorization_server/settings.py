"""The variables of the authorization server."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

from latchpin.sdk.settings import Settings, Words
from latchpin.sdk.urls import check_url
from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

__all__ = ["AuthorizationServerSettings"]


def _object(value: Any) -> Any:  # noqa: ANN401  whatever the environment holds
    """Read a JSON object."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON object such as {"https://issuer": "https://issuer/keys"}') from None


class AuthorizationServerSettings(Settings):
    """What a deployer may set."""

    authorization_server_enabled: bool = Field(True, description="Give tokens to MCP clients.")
    access_token_lifetime_seconds: int = Field(
        600, ge=60, le=86_400, description="How long access tokens of MCP clients last."
    )
    refresh_token_lifetime_days: int = Field(
        30, ge=1, le=3650, description="How long an MCP client that is not used stays allowed."
    )
    client_registration_enabled: bool = Field(True, description="Let MCP clients register themselves (RFC 7591).")
    client_registrations_per_hour: int = Field(
        300,
        ge=1,
        le=100_000,
        description="How many MCP clients may register from one network address in an hour. Behind a reverse proxy "
        "that TRUSTED_PROXIES does not list, all come from one.",
    )
    registered_clients_most: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="How many registered MCP clients are kept. Beyond that, the oldest without access make room.",
    )
    registered_client_unused_days: int = Field(
        30, ge=1, le=3650, description="How long a registered MCP client is kept that nobody uses."
    )
    client_metadata_documents_enabled: bool = Field(
        True, description="Take MCP clients whose client_id is the https URL of a document about them."
    )
    client_redirect_schemes: Words = Field(
        (), description="Private-use URI schemes of redirect URIs that are taken beside the known clients' ones."
    )
    personal_tokens_enabled: bool = Field(
        True, description="Let people make personal access tokens for programs that cannot sign in."
    )
    personal_token_max_days: int = Field(
        365, ge=1, le=3650, description="How long a personal access token may last at most."
    )

    # NoDecode: an empty line of .env is no JSON, and means the default.
    id_jag_issuers: Annotated[dict[str, str], NoDecode, BeforeValidator(_object)] = Field(
        {},
        description=(
            "Identity providers whose grants (ID-JAG) let a company's applications in: a JSON object of each issuer "
            "and the URL of its keys. Each can name any person."
        ),
        json_schema_extra={"allowed": "a JSON object"},
    )

    @field_validator("id_jag_issuers")
    @classmethod
    def _check_issuers(cls, value: dict[str, str]) -> dict[str, str]:
        for each in (*value, *value.values()):
            check_url(each)
        return value

    @property
    def access_token_lifetime(self) -> timedelta:
        """How long an access token lasts."""
        return timedelta(seconds=self.access_token_lifetime_seconds)

    @property
    def registered_client_unused(self) -> timedelta:
        """How long a registered client is kept that nobody uses."""
        return timedelta(days=self.registered_client_unused_days)

    @property
    def refresh_token_lifetime(self) -> timedelta:
        """How long a grant lasts that nobody uses."""
        return timedelta(days=self.refresh_token_lifetime_days)
