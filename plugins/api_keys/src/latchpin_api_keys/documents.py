"""What programs are answered."""

from __future__ import annotations

from typing import Literal

from latchpin.sdk.web import Document
from pydantic import Field

__all__ = ["KeyKept"]


class KeyKept(Document):
    """An API key that works and is kept."""

    success: Literal[True]
    message: str
    tools: int = Field(description="How many tools the server offers with it.")
