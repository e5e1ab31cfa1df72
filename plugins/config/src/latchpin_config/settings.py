"""The plugin's variables."""

from __future__ import annotations

import latchpin
from latchpin.sdk.settings import Words
from pydantic import Field

__all__ = ["ConfigSettings"]


class ConfigSettings(latchpin.Settings):
    """What a deployer sets."""

    config_references: Words = Field(
        ("env:*", "file:*"),
        description="Which secrets files may refer to, as patterns such as env:ACME_* or file:/run/secrets/*.",
    )
