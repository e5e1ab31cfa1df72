"""People who are out, and what becomes of their tokens."""

from __future__ import annotations

from typing import Literal

from latchpin.sdk.web import Document, Id, Moment
from pydantic import Field

__all__ = ["EndedPeople", "EndedPerson", "PersonEnded", "PersonRestored", "StayingConnection", "TakenBack"]


class TakenBack(Document):
    """A token of somebody who is out: gone here, and revoked at its server or still to be."""

    app_user_email: str
    gateway_id: Id
    gateway_name: str
    account: str = Field(description="The label of the account; empty: none.")
    state: Literal["owed", "revoked", "not revoked"] = Field(
        description="owed: it is tried again. not revoked: it stays valid at its server until it expires."
    )
    tries: int
    answer: str = Field(description="What the server said last.")
    since: Moment
    next_try_at: Moment | None


class StayingConnection(Document):
    """An account that all share and the person connected."""

    gateway_id: Id
    gateway_name: str


class EndedPerson(Document):
    """Somebody who is out, or whose tokens are still taken back although they were let in again."""

    app_user_email: str
    out: bool
    since: Moment | None
    by: str | None = Field(description="The address of who ended them; (client): another system that knows of it.")
    way: str | None = Field(description="By which way: command, api, scim.")
    to_revoke: int = Field(description="How many tokens are still to be revoked.")
    revocations: list[TakenBack]
    stay: list[StayingConnection] = Field(description="What they connected for all. An administrator ends it.")


class EndedPeople(Document):
    """Everybody of these."""

    people: list[EndedPerson]
    total: int


class PersonEnded(Document):
    """Somebody who is out from now on."""

    success: Literal[True]
    message: str
    person: EndedPerson


class PersonRestored(Document):
    """Somebody who may come in again."""

    success: Literal[True]
    message: str
