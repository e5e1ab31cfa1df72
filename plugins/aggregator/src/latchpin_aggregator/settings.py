"""The plugin's variables."""

from __future__ import annotations

from latchpin.sdk.settings import Settings
from pydantic import Field

__all__ = ["AggregatorSettings"]


class AggregatorSettings(Settings):
    """What a deployer may set about the one endpoint."""

    one_endpoint_fresh_seconds: int = Field(
        60,
        ge=1,
        le=3_600,
        description="Seconds until lists are renewed whose server does not say how long they hold.",
    )
    one_endpoint_first_wait: float = Field(
        3.0,
        ge=0,
        le=60,
        description="Seconds that a list waits for servers never asked on the caller's behalf.",
    )
    one_endpoint_list_timeout: float = Field(
        30.0, gt=0, le=600, description="Seconds that one server may take for its lists."
    )
    one_endpoint_look_seconds: int = Field(
        10, ge=1, le=600, description="Seconds between two looks whether lists have changed, for programs that listen."
    )
    one_endpoint_max_request_bytes: int = Field(
        4_194_304, gt=0, description="How large one message to the one endpoint may be, bytes."
    )
