"""The plugin's variables."""

from pathlib import Path

import latchpin
from pydantic import Field


class AcmeSettings(latchpin.Settings):
    """Where everything is."""

    acme_file: Path = Field(Path("acme.db"), description="File for authorizations and what must last.")
