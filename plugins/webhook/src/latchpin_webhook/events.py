"""What is told: each event's name and body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from latchpin.sdk.gateway import is_id
from latchpin_attention.need import CAUSES

if TYPE_CHECKING:
    from latchpin_attention.need import Need

__all__ = ["MENDED", "NEEDS_PERSON", "TEST", "EventName", "describe_need", "format_event", "is_ours", "parse_event"]

EventName = Literal["connection.needs_person", "connection.mended", "webhook.test"]
NEEDS_PERSON: EventName = "connection.needs_person"
MENDED: EventName = "connection.mended"
TEST: EventName = "webhook.test"


def describe_need(need: Need, authorize_url: str) -> dict[str, Any]:
    """What a receiver is told of a need. No token is in it, and the link opens nothing to who is not signed in.

    Args:
        need: which.
        authorize_url: where its person mends it.
    """
    return {
        "need": need.id,
        "gateway": {"id": need.gateway_id, "name": need.gateway_name},
        "owner": need.owner,
        "person": need.person,
        "account": need.account,
        "cause": need.cause,
        "message": need.words,
        "works": not need.broken,
        "since": need.since.isoformat(),
        "ends_at": None if need.ends_at is None else need.ends_at.isoformat(),
        "scopes": list(need.wanted),
        "authorize_url": authorize_url,
    }


def parse_event(text: object) -> EventName:
    """The event of a message in the outbox.

    Raises:
        ValueError: no message there has that one.
    """
    if text == NEEDS_PERSON:
        return NEEDS_PERSON
    if text == MENDED:
        return MENDED
    raise ValueError("no such event")


def is_ours(need: Need) -> bool:
    """Whether a need that was read from the store is as this gateway finds them: ids, known causes and plain texts."""
    texts = (need.gateway_name, need.owner, need.account, need.connected_by or "", *need.wanted)
    return (
        is_id(need.id)
        and is_id(need.gateway_id)
        and need.cause in CAUSES
        and all(isinstance(each, str) for each in texts)
    )


def format_event(name: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body of a message: ``type``, ``timestamp`` and ``data``, as Standard Webhooks has it."""
    body = {"type": name, "timestamp": at.isoformat(), "data": dict(data)}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode("ascii")
