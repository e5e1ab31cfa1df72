"""The API of the audit log: for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from latchpin.sdk.web import AdminCaller, CurrentApplication, Document, Moment
from pydantic import BaseModel, Field

from latchpin_audit import newest
from latchpin_audit.chain_sink import CALL
from latchpin_audit.log import AuditLog

__all__ = ["AuditQuery", "router"]

router = APIRouter(tags=["operation"])


class AuditDocument(Document):
    """An entry of the audit log."""

    number: int
    at: Moment
    event: str = Field(description="What was done; mcp.call is a call.")
    actor: str = Field(description="Who did it, by pseudonym; gateway is the gateway itself.")
    actor_address: str = Field(description="Whose the pseudonym is; empty: forgotten, or nobody's.")
    subject: str = Field(description="Whose connection it concerns, by pseudonym; empty: nobody's.")
    subject_address: str
    gateway_id: str
    gateway_name: str = Field(description="Empty: none, or one that is gone.")
    facts: dict[str, str] = Field(description="A few words more.")


class AuditSlice(Document):
    """Entries, the newest first."""

    entries: list[AuditDocument]
    earlier: int = Field(description="before of the next request; 0: there are no earlier entries.")


class AuditQuery(BaseModel):
    """What of the log is asked for."""

    calls: bool = Field(False, description="MCP calls, and not what was done.")
    q: str = Field("", max_length=200, description="A part of what an entry says, in any case.")
    before: int = Field(0, ge=0, le=10**18, description="Only entries with lower numbers; 0: all.")
    limit: int = Field(50, ge=1, le=200, description="How many at most.")

    def to_query(self) -> newest.Query:
        """For looking."""
        return newest.Query(self.calls, self.q.strip(), self.before, self.limit)


@router.get("/audit", summary="Read the audit log", response_model=AuditSlice)
async def read_audit(
    caller: AdminCaller,  # noqa: ARG001  an administrator's alone
    application: CurrentApplication,
    asked: Annotated[AuditQuery, Query()],
) -> dict[str, Any]:
    """The newest entries, of 2,000 at most that are looked through; ``earlier`` leads on."""
    log = AuditLog.of(application.services.context)
    gateways = {each.id: each.name for each in await application.services.records.gateways.list()}
    found = await newest.find_newest(log, asked.to_query(), gateways)
    return {"entries": [_document(each) for each in found.entries], "earlier": found.earlier}


def _document(shown: dict[str, Any]) -> dict[str, Any]:
    """An entry in one form, whether it is a call or not."""
    if "facts" in shown:
        return {name: value for name, value in shown.items() if name not in {"previous", "key_id", "signature"}}
    own = {"number", "at", "who", "gateway_id", "gateway_name", "actor_address", "subject_address"}
    facts = {name: str(value) for name, value in shown.items() if name not in own and value != ""}
    who, address = shown["who"], shown["actor_address"]
    named = {"event": CALL, "actor": who, "subject": who, "actor_address": address, "subject_address": address}
    return {name: shown[name] for name in ("number", "at", "gateway_id", "gateway_name")} | named | {"facts": facts}
