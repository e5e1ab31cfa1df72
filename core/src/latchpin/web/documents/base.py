"""What all answers have in common, and the problem document."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from latchpin.model.ids import ID_PATTERN

__all__ = ["Document", "Problem", "Id", "Moment"]

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"pattern": ID_PATTERN})]


class Document(BaseModel):
    """An answer: it has no member that is not described."""

    model_config = ConfigDict(extra="forbid")


class Problem(Document):
    """Why a request failed (RFC 9457)."""

    type: str = Field(description="The page of this cause.")
    title: str
    status: int
    detail: str
    cause: str = Field(description="The stable name of the cause.")
    remedy: str = Field(description="What to do about it.")
    documentation: str = Field(description="This cause in the list of all.")
    flow_id: Id | None = Field(None, description="The authorization that it belongs to, if it belongs to one.")
    request_id: Id | None = Field(None, description="The request's name in the log, where there is no flow.")
    flow_url: str | None = Field(None, description="Where the flow can be looked at. Left out where it is not kept.")
    authorize_url: str | None = Field(None, description="Only where the caller has to authorize: where to go.")
