"""What pages show of what people allowed: words, times and names, and nothing that is secret. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from latchpin.sdk.web import TimeShown

from latchpin_authorization_server.grants.grant import Grant
from latchpin_authorization_server.people.applications import AllowedClient
from latchpin_authorization_server.redirect_uris import tell_place

__all__ = ["ApplicationCard", "GrantRow"]


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One grant as a page shows it.

    Attributes:
        place: where the application runs.
        resource: the endpoint's name, or its URL where it has none any more.
    """

    id: str
    person: str
    client_id: str
    client_name: str
    place: str
    resource: str
    since: TimeShown
    used: TimeShown

    @classmethod
    def of(cls, grant: Grant, names: Mapping[str, str], now: datetime) -> GrantRow:
        """As seen from ``now``; ``names`` are those of the endpoints, by URL."""
        return cls(
            id=grant.id,
            person=grant.email,
            client_id=grant.client_id,
            client_name=grant.client_name,
            place=tell_place(grant.redirect_uri),
            resource=names.get(grant.resource, grant.resource),
            since=TimeShown.of(grant.created_at, now),
            used=TimeShown.of(grant.used_at, now),
        )


@dataclass(frozen=True, slots=True)
class ApplicationCard:
    """One application with all that its person allowed it."""

    id: str
    name: str
    rows: tuple[GrantRow, ...]

    @classmethod
    def of(cls, client: AllowedClient, names: Mapping[str, str], now: datetime) -> ApplicationCard:
        """As seen from ``now``."""
        return cls(client.id, client.name, tuple(GrantRow.of(grant, names, now) for grant in client.grants))

    @property
    def places(self) -> str:
        """Where it runs, in words."""
        return ", ".join(dict.fromkeys(row.place for row in self.rows))
