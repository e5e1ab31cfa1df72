"""What pages show of the gateway's values: words and times instead of records, and nothing that is secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchpin.model import CLIENT_ITSELF, Gateway, RegisteredClient
from latchpin.sdk.gateway import MOST_ACCOUNTS, Connection, TokenHealth, TokenStatus, needs_browser, wants_key
from latchpin.sdk.web import TimeShown

__all__ = ["HEALTHS", "Account", "ClientRow", "ConnectionRow", "Mine", "describe_health", "describe_server"]

HEALTHS: tuple[tuple[TokenStatus, str], ...] = (
    ("valid", "Connected"),
    ("near_expiry", "Connected, expires soon"),
    ("expired", "Expired"),
    ("needs_reauth", "Authorize again"),
)
_HINTS: dict[str, str] = {
    "none": "This server asks for no authorization. Fetch its tools.",
    "client_credentials": "The gateway authorizes itself here. Fetch its tools.",
    "authorization_code": "Authorize to connect your account, then fetch the tools.",
}


_SHARED_HINTS = {
    True: "Connect the one account that all who may use this server act with.",
    False: "An administrator connects this server. Ask one.",
}


_KEY_HINT = "Enter a key of your account there, then fetch the tools."


def _hint(gateway: Gateway, *, admin: bool) -> str:
    """What a person does first."""
    if gateway.connection == "shared":
        return _SHARED_HINTS[admin]
    if wants_key(gateway):
        return _KEY_HINT
    grant = "none" if gateway.oauth is None else gateway.oauth.grant_type
    return _HINTS.get(grant, "Nobody has to authorize here. Fetch its tools.")


def describe_server(said: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What was found out about a server, for somebody who decides whether to trust it: what, which, from where.

    Args:
        said: what ``latchpin_inspection`` says of it.
    """
    registration, provider = said["registration"], said["provider"]
    kept = registration["registered_client_id"]
    way = f"{kept}, registered before" if kept else registration["way"] or "has to be entered"
    known = "" if provider is None else ", ".join(f"{name}={value}" for name, value in provider["settings"].items())
    rows = [
        ("Issuer", said["issuer"]["value"] or "not named", said["issuer"]["from"]),
        ("Authorization endpoint", said["authorization_endpoint"] or "none", said["source"]),
        ("Token endpoint", said["token_endpoint"], said["source"]),
        ("Client", way, "; ".join(f"not {other}: {why}" for other, why in registration["others"].items())),
        ("Scopes", " ".join(said["scopes"]["value"]) or "none asked for", said["scopes"]["from"]),
        ("Resource", said["resource"]["value"] or "none", said["resource"]["from"]),
    ]
    if provider is not None:
        rows.append(("Provider", provider.get("label", provider["name"]), known))
    return [(what, which[:500], origin[:500]) for what, which, origin in rows]


def describe_health(health: TokenHealth) -> tuple[TokenStatus, str]:
    """A connection's health as a kind and as words."""
    if health.status == "expired" and health.authorized:
        return "near_expiry", "Connected, renewed at next use"
    return health.status, dict(HEALTHS).get(health.status, "Not connected")


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One connection in the list of all.

    Attributes:
        itself: the token is the gateway's own, not a person's.
        keyed: it is an API key, which has no end that is known here.
        connected_by: who connected what all share; None: it is no such account.
        account: the label of the account, of several that the person has there.
        rests: the gateway uses another account now, own or shared.
    """

    gateway_id: str
    gateway_name: str
    owner: str
    itself: bool
    keyed: bool
    shared: bool
    connected_by: str | None
    account: str
    rests: bool
    status: TokenStatus
    status_text: str
    issuer: str | None
    scopes: tuple[str, ...]
    expires: TimeShown
    updated: TimeShown

    @classmethod
    def of(cls, connection: Connection, now: datetime) -> ConnectionRow:
        """``connection`` as seen from ``now``."""
        status, text = describe_health(connection.health)
        return cls(
            gateway_id=connection.gateway.id,
            gateway_name=connection.gateway.name,
            owner=connection.owner,
            itself=connection.owner == CLIENT_ITSELF,
            keyed=wants_key(connection.gateway),
            shared=connection.shared,
            connected_by=connection.connected_by,
            account=connection.label,
            rests=not connection.serves,
            status=status,
            status_text=text,
            issuer=connection.issuer,
            scopes=connection.scopes,
            expires=TimeShown.of(connection.expires_at, now),
            updated=TimeShown.of(connection.updated_at, now),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """One of several accounts of a user at one gateway.

    Attributes:
        label: ``""`` for the one without a label.
        chosen: it serves where a program names none.
        rests: it serves nobody now, since all share one account there.
    """

    label: str
    chosen: bool
    rests: bool
    status: str
    status_text: str

    @classmethod
    def of(cls, connection: Connection) -> Account:
        """``connection`` as the account that it is."""
        status, text = describe_health(connection.health)
        chosen = connection.is_default and connection.serves
        return cls(connection.label, chosen, not connection.serves, status, text)

    @property
    def name(self) -> str:
        """What people read."""
        return self.label or "the account without a label"


@dataclass(frozen=True, slots=True)
class Mine:
    """One gateway as one user is, or could be, connected to it.

    Attributes:
        authorizes: there is something to authorize for a person, or a key to enter.
        keyed: it is a key.
        connected: there is a token; the fields after it say more.
        works: the gateway can act with it.
        usable: the user may use the gateway; else an earlier token of theirs can be ended, and nothing more.
        shared: all use one account there.
        connected_by: who connected that.
        account: the label of the user's account that serves.
        may_end: the user may disconnect what serves.
        accounts: the user's, where the one that serves is not all.
        may_add: the user may connect one more.
        needs: why the user is needed, as far as somebody knows.
    """

    id: str
    name: str
    url: str
    usable: bool
    authorizes: bool
    keyed: bool
    connected: bool
    works: bool
    status: str
    status_text: str
    hint: str
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    expires: TimeShown | None = None
    updated: TimeShown | None = None
    shared: bool = False
    connected_by: str | None = None
    account: str = ""
    may_end: bool = True
    accounts: tuple[Account, ...] = ()
    may_add: bool = False
    needs: tuple[str, ...] = ()

    @property
    def needs_somebody(self) -> bool:
        """Whether it stands in front of what works."""
        return bool(self.needs) or (self.connected and not self.works and self.authorizes)

    @classmethod
    def of(
        cls, gateway: Gateway, connections: Sequence[Connection], now: datetime, *, admin: bool, usable: bool = True
    ) -> Mine:
        """``connections`` are the user's own, and the one that all share; ``admin``: the user is an administrator."""
        shared = gateway.connection == "shared"
        own = [each for each in connections if not each.shared]
        connection = next((each for each in connections if each.serves and each.is_default), None)
        one_alone = len(own) == 1 and connection is own[0] and not own[0].label
        status, text = "", "No authorization needed"
        if connection is not None:
            status, text = describe_health(connection.health)
        elif needs_browser(gateway):
            status, text = "missing", "Not connected"
        return cls(
            id=gateway.id,
            name=gateway.name,
            url=gateway.url,
            usable=usable,
            authorizes=needs_browser(gateway) and (admin or not shared),
            keyed=wants_key(gateway),
            connected=connection is not None,
            works=connection is not None and connection.health.authorized,
            status=status,
            status_text=text,
            hint=_hint(gateway, admin=admin),
            issuer=connection.issuer if connection else None,
            scopes=connection.scopes if connection else (),
            expires=TimeShown.of(connection.expires_at, now) if connection else None,
            updated=TimeShown.of(connection.updated_at, now) if connection else None,
            shared=shared,
            connected_by=connection.connected_by if connection else None,
            account=connection.label if connection else "",
            may_end=admin or not shared,
            accounts=() if one_alone else tuple(map(Account.of, own)),
            may_add=usable and not shared and needs_browser(gateway) and 0 < len(own) < MOST_ACCOUNTS,
        )


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A registered client, without its secrets."""

    id: str
    gateway_id: str
    gateway_name: str
    issuer: str
    client_id: str
    auth_method: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    is_active: bool
    created: TimeShown
    expires: TimeShown | None

    @classmethod
    def of(cls, client: RegisteredClient, gateway_name: str, now: datetime) -> ClientRow:
        """``client`` as seen from ``now``."""
        return cls(
            id=client.id,
            gateway_id=client.gateway_id,
            gateway_name=gateway_name,
            issuer=client.issuer,
            client_id=client.client_id,
            auth_method=client.token_endpoint_auth_method,
            redirect_uris=client.redirect_uris,
            grant_types=client.grant_types,
            scope=client.scope,
            is_active=client.is_active,
            created=TimeShown.of(client.created_at, now),
            expires=TimeShown.of(client.expires_at, now) if client.expires_at else None,
        )
