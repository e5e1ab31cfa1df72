"""The plugin's variables."""

from __future__ import annotations

from latchpin.sdk.settings import Settings
from pydantic import Field

__all__ = ["RegistrySettings"]


class RegistrySettings(Settings):
    """What a deployer may set about the registry."""

    registry_public: bool = Field(
        False,
        description=(
            "Whether everybody may read the registry without signing in, as GitHub's and VS Code's policies do: the "
            "names and URLs of all MCP endpoints, also of those that few may use."
        ),
    )
