"""What a connection needs its person for, and since when. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from latchpin.model import CLIENT_ITSELF, COMPANY, Gateway, StoredToken
from latchpin.sdk.gateway import name_authorization, needs_browser, wants_key

__all__ = ["CAUSES", "SHORTEST", "Cause", "Need", "Signal", "judge", "parse_need"]

Cause = Literal["refresh-refused", "ended", "unreadable", "scopes-missing", "refused", "ends-soon"]

CAUSES: Mapping[Cause, str] = {
    "refresh-refused": "The server takes the refresh token no more",
    "ended": "The access has ended, and cannot be renewed without its person",
    "unreadable": "What is stored can be opened with no key of this gateway",
    "scopes-missing": "The server wants scopes that were not granted",
    "refused": "The server refuses what was granted",
    "ends-soon": "The access ends soon, and cannot be renewed without its person",
}
"""What each cause says to people; ``ends-soon`` alone leaves the connection working for now."""

SHORTEST = timedelta(days=1)
"""What a server grants for less than this ends in the middle of work: it is shown, and nobody is told of it."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What only an event said of a connection.

    Attributes:
        authorization: of which authorization it holds, as ``name_authorization`` names it.
        refused_at: when its server first refused what that gave; None: it did not.
        wanted: the scopes that the server wants; None: another token.
        dated_at: when its server said until when the refresh token is good; None: it did not.
        ends_at: until when that is.
    """

    authorization: str
    refused_at: datetime | None = None
    wanted: tuple[str, ...] | None = None
    dated_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A connection that needs its person.

    Attributes:
        id: names this need: the same for as long as it stands, another one for the next of the same connection.
        connection: the id of the stored token.
        owner: whose it is: a person's address, or ``COMPANY`` for what all share.
        connected_by: the administrator who connected what all share, if that is known.
        account: the label of the account; ``""``: it has none.
        since: from when on.
        ends_at: with ``ends-soon``, when the access ends.
        wanted: with ``scopes-missing``, the scopes that the server named.
        keyed: the person enters a key.
        telling: people are told of it; else it is only shown.
    """

    id: str
    connection: str
    gateway_id: str
    gateway_name: str
    owner: str
    connected_by: str | None
    account: str
    cause: Cause
    since: datetime
    ends_at: datetime | None = None
    wanted: tuple[str, ...] = ()
    keyed: bool = False
    telling: bool = True

    @property
    def person(self) -> str | None:
        """The address of who can mend it; None: an administrator, nobody knows which."""
        return self.connected_by if self.owner == COMPANY else self.owner

    @property
    def broken(self) -> bool:
        """Whether it does not work already."""
        return self.cause != "ends-soon"

    @property
    def words(self) -> str:
        """The cause, for people."""
        if self.cause == "refused" and self.keyed:
            return "The server refuses the key"
        if self.cause == "ends-soon" and self.ends_at is not None:
            return f"The access ends on {self.ends_at:%Y-%m-%d}, and cannot be renewed without its person"
        return CAUSES[self.cause]

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "connection": self.connection,
            "gateway_id": self.gateway_id,
            "gateway_name": self.gateway_name,
            "owner": self.owner,
            "connected_by": self.connected_by,
            "account": self.account,
            "cause": self.cause,
            "since": self.since.isoformat(),
            "ends_at": None if self.ends_at is None else self.ends_at.isoformat(),
            "wanted": list(self.wanted),
            "keyed": self.keyed,
            "telling": self.telling,
        }


def parse_need(body: Mapping[str, Any]) -> Need:
    """Read what ``Need.describe`` wrote."""
    ends_at = body["ends_at"]
    times = {"since": datetime.fromisoformat(body["since"]), "wanted": tuple(body["wanted"])}
    return Need(**{**body, **times, "ends_at": None if ends_at is None else datetime.fromisoformat(ends_at)})


def judge(
    gateway: Gateway, token: StoredToken, signal: Signal | None, *, opens: bool, now: datetime, ahead: timedelta
) -> Need | None:
    """What a connection needs its person for; None: nothing, or nobody's help would change anything.

    Args:
        gateway: where it is.
        token: as it is stored.
        signal: what events said of it; one about an earlier authorization counts for nothing.
        opens: a key we have opens it.
        now: the time.
        ahead: so long before the end of what a server granted, it is near; never more than the last fifth.
    """
    if not _serves(gateway, token):
        return None
    if signal is None or signal.authorization != name_authorization(token):
        signal = Signal("")
    found = _cause(token, signal, opens=opens, now=now) or _near_end(token, signal, now, ahead)
    if found is None:
        return None
    cause, since, ends_at = found
    return Need(
        id=hashlib.sha256(f"{token.id}\n{cause}\n{since.isoformat()}".encode()).hexdigest()[:32],
        connection=token.id,
        gateway_id=gateway.id,
        gateway_name=gateway.name,
        owner=token.app_user_email,
        connected_by=token.connected_by,
        account=token.label,
        cause=cause,
        since=since,
        ends_at=ends_at,
        wanted=(signal.wanted or ()) if cause == "scopes-missing" else (),
        keyed=wants_key(gateway),
        telling=cause != "ended" or _life(token, signal) >= SHORTEST,
    )


_Found = tuple[Cause, datetime, datetime | None]


def _serves(gateway: Gateway, token: StoredToken) -> bool:
    """Whether it is used, and a person got it: what rests, and what a gateway gets by itself, needs nobody."""
    if token.app_user_email == CLIENT_ITSELF or not needs_browser(gateway):
        return False
    return (token.app_user_email == COMPANY) == (gateway.connection == "shared")


def _cause(token: StoredToken, signal: Signal, *, opens: bool, now: datetime) -> _Found | None:
    """Why it does not work."""
    if token.needs_reauth:
        return "refresh-refused", token.updated_at, None
    if not opens:
        return "unreadable", token.updated_at, None
    end = _end(token, signal)
    if end is not None and now >= max(end, token.expires_at):
        return "ended", max(end, token.expires_at), None
    if signal.refused_at is not None:
        return "refused" if signal.wanted is None else "scopes-missing", signal.refused_at, None
    return None


def _near_end(token: StoredToken, signal: Signal, now: datetime, ahead: timedelta) -> _Found | None:
    end, life = _end(token, signal), _life(token, signal)
    if end is None or life < SHORTEST:
        return None
    since = end - min(ahead, life / 5)
    return ("ends-soon", since, end) if now >= since else None


def _end(token: StoredToken, signal: Signal) -> datetime | None:
    """When what cannot be renewed without a person ends; None: that is not known."""
    return token.expires_at if token.refresh_token is None else signal.ends_at


def _life(token: StoredToken, signal: Signal) -> timedelta:
    """How long that was granted for."""
    end = _end(token, signal)
    begun = token.updated_at if token.refresh_token is None else signal.dated_at
    return timedelta(0) if end is None or begun is None else end - begun
