"""Who is asking: the request's evidence goes to the identities, and what they say is put together."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from fastapi import Request

from latchpin.contracts import Identity
from latchpin.errors import Forbidden, NotSignedIn
from latchpin.identity.groups import with_groups
from latchpin.identity.presented import Presented, parse_authorization
from latchpin.identity.proven import ProvenCallers
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.model import Caller, Evidence
from latchpin.services import Services

__all__ = [
    "ask_identities",
    "current_caller",
    "evidence_of",
    "forget_caller",
    "require_admin",
    "require_caller",
    "services_of",
    "signed_tokens_of",
    "valid_caller",
]

_CALLER = "latchpin.caller"
_RESOURCE = "latchpin.resource"


def services_of(request: Request) -> Services:
    """The gateway's services."""
    services: Services = request.app.state.services
    return services


def signed_tokens_of(request: Request) -> SignedTokens:
    """What signs and verifies the gateway's short-lived facts."""
    signed_tokens: SignedTokens = request.app.state.application.signed_tokens
    return signed_tokens


async def current_caller(request: Request) -> Caller | None:
    """Who is asking, None if nobody says. Asked once for each request.

    Raises:
        NotSignedIn: something came that is not valid, or two identities that disagree.
        BackendUnavailable, UpstreamError: what would decide it cannot be asked.
    """
    if _CALLER not in request.scope:
        request.scope[_CALLER] = await _remembered_or_asked(request)
    caller: Caller | None = request.scope[_CALLER]
    return caller


def forget_caller(request: Request) -> None:
    """Let who asks be judged anew when it is asked next."""
    request.scope.pop(_CALLER, None)


async def valid_caller(request: Request) -> Caller | None:
    """Who is asking, where none is needed: an identity that does not hold counts as none.

    Raises:
        BackendUnavailable, UpstreamError: what would decide it cannot be asked.
    """
    try:
        return await current_caller(request)
    except NotSignedIn:
        return None


async def require_caller(request: Request, *, resource: str | None = None) -> Caller:
    """Who is asking; raises NotSignedIn if nobody says (a redirect to /login for a browser's GET).

    Args:
        request: what came.
        resource: the URL of the protected resource that the route is, for identities that take tokens for it alone.
    """
    if resource is not None:
        request.scope[_RESOURCE] = resource
    caller = await current_caller(request)
    if caller is None:
        raise NotSignedIn
    return caller


async def require_admin(request: Request) -> Caller:
    """Who is asking, an administrator. Raises NotSignedIn or Forbidden."""
    caller = await current_caller(request)
    if caller is None:
        raise NotSignedIn(remedy=f"Call it as an administrator: {_command_with_token(request)}")
    if not caller.is_admin:
        raise Forbidden("this is for administrators")
    return caller


def _command_with_token(request: Request) -> str:
    """What an administrator types to ask this very thing."""
    settings = services_of(request).settings
    url = shlex.quote(settings.base_url + quote(request.url.path.removeprefix(settings.base_path)))
    method = "" if request.method == "GET" else f"-X {request.method} "
    bearer = "Bearer $(latchpin token create --email you@example.com --admin)"
    return f'curl -s {method}-H "Authorization: {bearer}" {url}'


def evidence_of(request: Request) -> Evidence:
    """What identities may judge a request by; the peer is the socket's, whatever headers say."""
    headers: dict[str, tuple[str, ...]] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        headers[name] = (*headers.get(name, ()), raw_value.decode("latin-1"))
    client = request.client
    peer = client.host if client else ""
    return Evidence(peer=peer, headers=headers, cookies=request.cookies, resource=request.scope.get(_RESOURCE))


async def _remembered_or_asked(request: Request) -> Caller | None:
    proven: ProvenCallers = request.app.state.application.proven_callers
    key = proven.key_of(request.scope["headers"], request.scope.get(_RESOURCE))
    if key is None:
        return await ask_identities(request)
    caller = proven.find(key, lambda: ask_identities(request))
    if caller is None:
        asked = proven.begin()
        caller = await ask_identities(request)
        if caller is not None:
            proven.remember(key, caller, asked)
    return caller


async def ask_identities(request: Request, *, resource: str | None = None) -> Caller | None:
    """Who is asking, as the identities say now; whatever they say, who is out is nobody here.

    Args:
        request: what came.
        resource: as for ``require_caller``.

    Raises:
        NotSignedIn: as ``current_caller`` does, or the person is out.
        BackendUnavailable, UpstreamError: what would decide it cannot be asked.
    """
    if resource is not None:
        request.scope[_RESOURCE] = resource
    services = services_of(request)
    caller = await _identify(services, evidence_of(request))
    if caller is None:
        return None
    application = request.app.state.application
    application.departures.note_asked()
    keep_out = application.revocations.keep_out(caller.email)
    if services.groups:
        out, caller = await asyncio.gather(keep_out, with_groups(services.groups, caller))  # in one trip to the store
    else:
        out = await keep_out
    if out:
        raise NotSignedIn(
            "this person's access was ended", remedy="An administrator can let them in again: latchpin people restore"
        )
    return caller


async def _identify(services: Services, evidence: Evidence) -> Caller | None:
    presented = parse_authorization(evidence.headers)
    found: list[Caller] = []
    answered: set[str] = set()
    for identity in _asked(services.identities, presented):
        caller = await identity.identify(evidence)
        if caller is not None:
            found.append(caller)
            answered |= getattr(identity, "schemes", frozenset())
    if presented is not None and presented.scheme not in answered:
        raise NotSignedIn(
            "nothing here answers for the Authorization header's scheme",
            remedy="Send 'Authorization: Bearer <token>', or none; a proxy in front that asks for another removes it.",
        )
    if not found:
        return None
    if len({caller.email for caller in found}) > 1:
        ways = " and ".join(caller.via for caller in found)
        raise NotSignedIn(
            f"the identities of {ways} disagree",
            remedy=f"Send one identity only, or sign out first: {services.settings.base_url}/logout",
        )
    first = found[0]
    assertion = next((caller.assertion for caller in found if caller.assertion is not None), None)
    is_admin = any(caller.is_admin for caller in found) or first.email in services.settings.admin_emails
    proves_intent = any(caller.proves_intent for caller in found)
    expires_at = min((caller.expires_at for caller in found if caller.expires_at is not None), default=None)
    groups = frozenset().union(*(caller.groups for caller in found))
    stands_on = next((caller.stands_on for caller in found if caller.stands_on), "")
    return replace(
        first,
        is_admin=is_admin,
        assertion=assertion,
        proves_intent=proves_intent,
        expires_at=expires_at,
        groups=groups,
        stands_on=stands_on,
        groups_said=any(caller.groups_said for caller in found),
    )


def _asked(identities: Sequence[Identity], presented: Presented | None) -> Sequence[Identity]:
    """All but those that answer for the scheme of a token that another one recognizes as of its kind."""
    if presented is None:
        return identities
    readers = [each for each in identities if presented.scheme in getattr(each, "schemes", ())]
    owners = [each for each in readers if getattr(each, "recognizes", _recognizes_nothing)(presented.credentials)]
    others = [each for each in readers if (each not in owners if owners else hasattr(each, "recognizes"))]
    return [each for each in identities if each not in others]


def _recognizes_nothing(_credentials: str) -> bool:
    return False
