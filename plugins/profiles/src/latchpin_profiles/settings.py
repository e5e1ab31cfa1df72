"""The plugin's variables."""

from __future__ import annotations

import latchpin
from latchpin.sdk.settings import renamed
from pydantic import Field

__all__ = ["ProfilesSettings"]


class ProfilesSettings(latchpin.Settings):
    """What the plugin reads."""

    server_profiles_file: str | None = Field(
        None,
        description="TOML file with what more servers need.",
        **renamed("server_profiles_file", before="providers_file"),
    )
