"""What programs send, and are answered."""

from __future__ import annotations

from typing import Literal

from latchpin.sdk.web import Document
from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = ["KeyBody", "KeyKept"]


class KeyBody(BaseModel):
    """The key, alone."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: SecretStr


class KeyKept(Document):
    """An API key that works and is kept."""

    success: Literal[True]
    message: str
    tools: int = Field(description="How many tools the server offers with it.")
