"""What all answers have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from latchpin.model.ids import ID_PATTERN

__all__ = ["Document", "Id", "Moment"]

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"pattern": ID_PATTERN})]


class Document(BaseModel):
    """An answer: it has no member that is not described."""

    model_config = ConfigDict(extra="forbid")
