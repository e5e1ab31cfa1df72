"""Login links: made for one user, kept hashed, good once and for ten minutes, and until their user's sessions end.

A copy of the store yields no link that works, and looking at a link (as mail scanners and previews do)
does not use it up.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.errors import InvalidRequest
from latchpin.identity.address import parse_email
from latchpin.identity.barred import is_out
from latchpin.identity.revocations import mark_of_ends
from latchpin.services import Services
from latchpin.workers.instance_names import Whereabouts, locate
from latchpin.workers.instances import list_instances

__all__ = [
    "LINK_LIFETIME",
    "LoginLink",
    "consume_link",
    "create_first_link",
    "create_link",
    "get_link",
    "invitation",
]

LINK_LIFETIME = timedelta(minutes=10)
LOCAL_ADMINISTRATOR = "admin@localhost"
"""Who the first link is for where ADMIN_EMAILS names nobody."""

_FIRST = "login-first-start"
_START_TIME = timedelta(seconds=30)
"""From a printed link until its process has said that it is there, at most."""
_SIGNED_IN = "login-somebody-was-here"
_TOKEN_CHARACTERS = 43  # 32 bytes as base64url


@dataclass(frozen=True, slots=True)
class LoginLink:
    """Whom a link signs in.

    Attributes:
        ended: the user's ``mark_of_ends`` from before the link was made.
    """

    email: str
    is_admin: bool
    ended: str


async def create_link(services: Services, email: str, *, admin: bool = False) -> str:
    """Make a link that signs ``email`` in, and return its URL. It is shown once and never logged.

    Raises:
        InvalidRequest: ``email`` is not an address, or of somebody who is out.
        BackendUnavailable: nothing was made.
    """
    address = parse_email(email)
    ended = await mark_of_ends(services.kept, address)
    if await is_out(services.kept, address):
        raise InvalidRequest(
            f"{email} is out, and no link lets them in",
            remedy=f"Let them in again first: latchpin people restore {email}",
        )
    token = secrets.token_urlsafe(32)
    value = json.dumps({"email": address, "admin": admin, "ended": ended})
    await services.kept.put(_name(token), value, expires_at=services.clock() + LINK_LIFETIME)
    return f"{services.settings.base_url}/login?token={token}"


async def create_first_link(services: Services) -> tuple[str, str] | None:
    """Make the administrator's link of a first start; return its URL and the address.

    Every worker of every instance may ask; one of them gets it. None for the others, once somebody has signed in
    by a link or a gateway exists, and where an identity provider or a proxy tells who people are. A link that
    nobody used makes room for another when the process that printed it has ended, and else after its ten minutes.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    kept, gateways = services.kept, services.records.gateways
    if _signs_in_elsewhere(services) or await kept.get(_SIGNED_IN) is not None or await gateways.list():
        return None
    if not await _is_first(services):
        return None
    email = next(iter(services.settings.admin_emails), LOCAL_ADMINISTRATOR)
    return await create_link(services, email, admin=True), email


async def _is_first(services: Services) -> bool:
    """Whether this process is to print the link: nobody has, or whoever did is gone.

    Each holder that is gone has one successor, whose name is made of its own: of several who find it gone, one wins.
    """
    now = services.clock()
    ours, name = f"{services.instance_id} {now.isoformat()} {secrets.token_urlsafe(8)}", _FIRST
    while (holder := await services.kept.put(name, ours, expires_at=now + LINK_LIFETIME)) != ours:
        if not await _is_gone(holder, services):
            return False
        name = f"{_FIRST}:{hashlib.sha256(holder.encode()).hexdigest()}"
    return True


async def _is_gone(holder: str, services: Services) -> bool:
    """Whether the process that printed a link has ended; one on another machine says regularly that it is there."""
    instance, _, when = holder.partition(" ")
    where = locate(instance, own=services.instance_id)
    if where is not Whereabouts.ELSEWHERE:
        return where is Whereabouts.ENDED
    starting = datetime.fromisoformat(when.partition(" ")[0]) + _START_TIME > services.clock()
    return not starting and instance not in {each.id for each in await list_instances(services.kept, services.clock)}


def _signs_in_elsewhere(services: Services) -> bool:
    """Whether administrators are known without a link: nobody would use it up, and each start would print one."""
    settings, ways = services.settings, services.sign_ins
    by_page = bool(ways and settings.admin_emails) or any(way.names_administrators for way in ways)
    return by_page or bool(settings.jwt_jwks_url or settings.trusted_user_header)


def invitation(url: str, email: str) -> str:
    """What is printed on stderr (never logged) for a new link."""
    minutes = int(LINK_LIFETIME.total_seconds() // 60)
    return f"\n    Sign in as {email} (once, within {minutes} minutes):\n\n        {url}\n"


async def get_link(services: Services, token: str) -> LoginLink | None:
    """Look whom a link would sign in, without using it. None if it is unknown, used, ended or too old."""
    value = await services.kept.get(_name(token)) if _plausible(token) else None
    return None if value is None else await _standing(services, _parse(value))


async def consume_link(services: Services, token: str) -> LoginLink | None:
    """Take a link: of any number of callers one gets it. None if it is unknown, used, ended or too old."""
    value = await services.kept.take(_name(token)) if _plausible(token) else None
    link = None if value is None else await _standing(services, _parse(value))
    if link is not None:
        await services.kept.put(_SIGNED_IN, "1")
    return link


async def _standing(services: Services, link: LoginLink) -> LoginLink | None:
    """The link, unless its user's sessions were ended since it was made: who is let in again asks for another."""
    return link if await mark_of_ends(services.kept, link.email) == link.ended else None


def _plausible(token: str) -> bool:
    return len(token) == _TOKEN_CHARACTERS and token.isascii()


def _name(token: str) -> str:
    return f"login-link:{hashlib.sha256(token.encode()).hexdigest()}"


def _parse(value: str) -> LoginLink:
    document = json.loads(value)
    return LoginLink(document["email"], document["admin"] is True, document.get("ended", ""))
