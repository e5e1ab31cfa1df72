"""The plugin's variables."""

from __future__ import annotations

import latchpin
from pydantic import Field, SecretStr, field_validator

__all__ = ["MetricsSettings"]

SHORTEST_TOKEN = 16


class MetricsSettings(latchpin.Settings):
    """Who may read /metrics, where several workers count together, and whether there are traces."""

    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that may read /metrics; without one, administrators may."
    )
    metrics_folder: str | None = Field(
        None, description="Folder in which all workers of one instance count together; by itself with WORKERS over 1."
    )
    metrics_tools: int = Field(
        200, ge=0, le=10_000, description="How many tools, and prompts, have a label of their own; others share one."
    )
    tracing: bool = Field(False, description="Send OpenTelemetry traces, to where the OTEL_* variables say.")
    trust_traceparent: bool = Field(
        False, description="Continue the traces that callers name; only where none but your own can reach the gateway."
    )

    @field_validator("metrics_token")
    @classmethod
    def _check_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"must have {SHORTEST_TOKEN} characters or more")
        return value
