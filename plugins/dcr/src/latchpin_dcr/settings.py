"""The plugin's variables. Each is also read with the prefix ``MCPGATEWAY_``."""

from __future__ import annotations

from typing import Any

import latchpin
from latchpin.sdk.settings import Words
from pydantic import AliasChoices, Field, field_validator

__all__ = ["DcrSettings"]

_METHODS = ("client_secret_basic", "client_secret_post", "none")


def _names(name: str) -> Any:  # noqa: ANN401  what pydantic's Field takes
    return AliasChoices(name, f"mcpgateway_{name}")


class DcrSettings(latchpin.Settings):
    """What the registrar reads."""

    dcr_enabled: bool = Field(True, validation_alias=_names("dcr_enabled"), description="Whether DCR may be used.")
    dcr_auto_register_on_missing_credentials: bool = Field(
        True,
        validation_alias=_names("dcr_auto_register_on_missing_credentials"),
        description="Register by itself when a gateway has no client_id.",
    )
    dcr_default_scopes: Words = Field(
        ("mcp:read",),
        validation_alias=_names("dcr_default_scopes"),
        description="Scopes of registered clients, where neither gateway nor server names any.",
    )
    dcr_token_endpoint_auth_method: str = Field(
        "client_secret_basic",
        validation_alias=_names("dcr_token_endpoint_auth_method"),
        description="Authentication method asked for at registration, if the server offers it.",
    )
    dcr_allowed_issuers: Words = Field(
        (), validation_alias=_names("dcr_allowed_issuers"), description="Issuers to register at; empty: any."
    )
    dcr_client_name_template: str = Field(
        "Latchpin ({gateway_name})",
        validation_alias=_names("dcr_client_name_template"),
        description="Client name sent at registration; {gateway_name} is filled in.",
    )

    @field_validator("dcr_token_endpoint_auth_method")
    @classmethod
    def _check_method(cls, value: str) -> str:
        if value not in _METHODS:
            raise ValueError(f"must be one of {', '.join(_METHODS)}")
        return value
