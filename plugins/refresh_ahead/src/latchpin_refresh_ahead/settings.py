"""The plugin's variables."""

from __future__ import annotations

import latchpin
from latchpin.sdk.settings import renamed
from pydantic import Field

__all__ = ["RefreshAheadSettings"]


class RefreshAheadSettings(latchpin.Settings):
    """What the plugin reads."""

    refresh_ahead: bool = Field(
        False,
        description="Renew tokens in the background before they expire.",
        **renamed("refresh_ahead", before="freshen"),
    )
