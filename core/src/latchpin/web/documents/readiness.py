"""Whether new authorizations would work."""

from __future__ import annotations

from pydantic import Field

from latchpin.web.documents.base import Document

__all__ = ["Readiness", "StoreReadiness"]


class StoreReadiness(Document):
    """Whether a store answers."""

    backend: str
    ready: bool
    reason: str | None = Field(None, description="Only where it is not ready.")


class Readiness(Document):
    """Whether authorizations would work now."""

    ready: bool
    instance: str
    state_store: StoreReadiness
    record_store: StoreReadiness
