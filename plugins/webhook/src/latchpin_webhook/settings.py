"""The plugin's variables."""

from __future__ import annotations

from typing import Self

from latchpin.sdk.settings import SecretWords, Settings
from latchpin.sdk.urls import split_url
from pydantic import Field, SecretStr, field_validator, model_validator

from latchpin_webhook.signing import read_secret

__all__ = ["WebhookSettings"]

MOST_URLS = 10


class WebhookSettings(Settings):
    """Where webhooks go, and what signs them."""

    webhook_urls: SecretWords = Field(
        (),
        description="Where connections that need their person are told: https URLs, at most 10; empty: nowhere. Only "
        "their hosts are shown and logged.",
    )
    webhook_secrets: SecretWords = Field(
        (),
        description="What signs them, as whsec_ and 24 to 64 bytes in base64. With several, each signs: put a new one "
        "first, and take the old one away once receivers know the new.",
    )
    webhook_allow_private_networks: bool = Field(
        False, description="Let the URLs be http, and lead to private addresses."
    )

    @field_validator("webhook_urls")
    @classmethod
    def _check_urls(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        urls = [each.get_secret_value() for each in value]
        if len(urls) > MOST_URLS or len(set(urls)) != len(urls):
            raise ValueError(f"must be at most {MOST_URLS} different URLs")
        for each in urls:
            parts = split_url(each)
            if parts is None or "@" in parts.netloc or parts.fragment:
                raise ValueError("must be absolute http or https URLs, without a user name, password or fragment")
        return value

    @field_validator("webhook_secrets")
    @classmethod
    def _check_secrets(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for each in value:
            read_secret(each.get_secret_value())
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.webhook_urls and not self.webhook_secrets:
            raise ValueError("WEBHOOK_URLS is set without WEBHOOK_SECRETS: receivers could not tell who sent them")
        plain = [each for each in self.urls if each.lower().startswith("http:")]
        if plain and not self.webhook_allow_private_networks:
            raise ValueError("WEBHOOK_URLS has a URL that is not https; WEBHOOK_ALLOW_PRIVATE_NETWORKS lets it be")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs, open."""
        return tuple(each.get_secret_value() for each in self.webhook_urls)
