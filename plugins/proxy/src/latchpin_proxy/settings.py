"""The plugin's variables."""

from __future__ import annotations

from latchpin.sdk.settings import Settings
from pydantic import Field

__all__ = ["ProxySettings"]


class ProxySettings(Settings):
    """What a deployer may set about the MCP endpoint; every value holds for one worker."""

    proxy_idle_timeout: int = Field(
        600, gt=0, le=86_400, description="Seconds in which neither side of an MCP exchange sends anything."
    )
    proxy_authorization_wait: int = Field(
        20,
        ge=0,
        le=600,
        description="Seconds that a request is held whose person was asked to authorize and is about to do so.",
    )
    proxy_held_bytes: int = Field(
        262_144, ge=0, le=16_777_216, description="Request bodies up to this size can be repeated after a 401, bytes."
    )
    proxy_max_request_bytes: int = Field(
        2_147_483_648, gt=0, description="How large the body of one MCP request may be, bytes."
    )
    proxy_max_exchanges: int = Field(1_000, gt=0, description="MCP exchanges under way at once, streams included.")
    proxy_max_exchanges_per_user: int = Field(200, gt=0, description="The same for one user.")
