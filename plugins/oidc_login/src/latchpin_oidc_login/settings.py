"""The plugin's variables."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

import latchpin
from latchpin.sdk.settings import Words
from latchpin.sdk.urls import split_url
from pydantic import Field, SecretStr, field_validator, model_validator

__all__ = ["OidcLoginSettings"]


class OidcLoginSettings(latchpin.Settings):
    """What a deployer sets about the provider and about who may sign in."""

    oidc_login_issuer: str | None = Field(
        None, description="The OpenID Provider's issuer, exactly as it calls itself; empty: nobody signs in this way."
    )
    oidc_login_client_id: str | None = Field(
        None, description="Latchpin's client at the provider; needs OIDC_LOGIN_ISSUER."
    )
    oidc_login_client_secret: SecretStr | None = Field(
        None, description="The client's secret, or its private key for private_key_jwt; empty: a public client."
    )
    oidc_login_token_endpoint_auth_method: str | None = Field(
        None, description="How the client proves itself; empty: what the provider's metadata offers."
    )
    oidc_login_scopes: Words = Field(("openid", "email"), description="Scopes to ask for; openid is one of them.")
    oidc_login_label: str | None = Field(
        None, max_length=60, description="What the button says after 'Sign in with'; empty: the issuer's host."
    )
    oidc_login_email_claim: str = Field("email", min_length=1, description="Claim that holds the person's address.")
    oidc_login_trust_unverified_email: bool = Field(
        False, description="Believe addresses of which the provider does not say whether they are verified."
    )
    oidc_login_allowed_domains: Words = Field((), description="Domains of addresses that may sign in; empty: all.")
    oidc_login_groups_claim: str = Field("groups", min_length=1, description="Claim that lists the person's groups.")
    oidc_login_groups_days: int = Field(
        0, ge=0, le=365, description="Days for which the groups named at a sign-in count; 0: they are not kept."
    )
    oidc_login_admin_groups: Words = Field((), description="Groups whose members are administrators.")
    oidc_login_session_seconds: int | None = Field(
        None, ge=60, le=86_400 * 30, description="How long a sign-in lasts; at most SESSION_LIFETIME_SECONDS."
    )
    oidc_login_clock_leeway_seconds: int = Field(
        30, ge=0, le=300, description="How far the provider's clock may be off, in seconds."
    )

    oidc_login_keep_id_token: bool = Field(
        False, description="Keep ID tokens, sealed, until they expire: to get tokens by the provider's word."
    )

    @field_validator("oidc_login_issuer")
    @classmethod
    def _check_issuer(cls, value: str | None) -> str | None:
        parts = split_url(value) if value is not None else None
        if value is not None and (parts is None or parts.query or parts.fragment):
            raise ValueError("must be an absolute URL without query and fragment, such as https://login.example.com")
        return value

    @field_validator("oidc_login_scopes")
    @classmethod
    def _check_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("must have openid among them")
        return value

    @field_validator("oidc_login_allowed_domains")
    @classmethod
    def _check_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any("@" in domain or "*" in domain for domain in value):
            raise ValueError("must be domains such as example.com, without @ and *")
        return tuple(domain.lower() for domain in value)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if bool(self.oidc_login_issuer) != bool(self.oidc_login_client_id):
            raise ValueError("OIDC_LOGIN_ISSUER and OIDC_LOGIN_CLIENT_ID must be set together or not at all")
        return self

    @property
    def configured(self) -> bool:
        """Whether there is a provider to sign in with."""
        return self.oidc_login_issuer is not None

    @property
    def label(self) -> str:
        """What people know the provider by."""
        return self.oidc_login_label or urlsplit(self.oidc_login_issuer or "").hostname or ""
