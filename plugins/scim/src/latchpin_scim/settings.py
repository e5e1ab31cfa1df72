"""The plugin's variables."""

from __future__ import annotations

import latchpin
from latchpin.sdk.settings import SecretWords
from pydantic import Field, field_validator

__all__ = ["SHORTEST_TOKEN", "ScimSettings"]

SHORTEST_TOKEN = 32
"""Characters: nobody guesses it, however often they try."""


class ScimSettings(latchpin.Settings):
    """By what the directory proves itself."""

    scim_token: SecretWords = Field(
        (),
        description="The directory's bearer token, 32 characters or more; two while it changes. Empty: no SCIM.",
    )

    @field_validator("scim_token")
    @classmethod
    def _check_token(cls, value: SecretWords) -> SecretWords:
        for each in value:
            text = each.get_secret_value()
            if len(text) < SHORTEST_TOKEN or not text.isascii() or not text.isprintable():
                raise ValueError(f"each must have {SHORTEST_TOKEN} characters of ASCII or more")
        return value
