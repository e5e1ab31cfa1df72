"""Who is asking, and what an identity source judges that by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["VIA_ACCESS_TOKEN", "Caller", "Evidence", "IdentityAssertion"]

VIA_ACCESS_TOKEN = "access-token"  # noqa: S105  a way, no secret
"""The program runs OAuth itself: a 401 sends its person through the sign-in, which leads on to what is missing."""


@dataclass(frozen=True, slots=True)
class IdentityAssertion:
    """What an identity provider says, in a token that it signed, of who somebody is.

    Attributes:
        token: to be shown to that provider only.
        issuer: the provider, by its ``iss``.
        token_type: what the provider is told that it is (RFC 8693 section 3).
    """

    token: str = field(repr=False)
    issuer: str
    expires_at: datetime
    token_type: str = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  a type


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as an identity source established it. ``email`` is lower case.

    Attributes:
        via: names the way, for logs and for people: ``bearer``, ``session``, ``proxy``, ``local``, or a plugin's own.
            ``VIA_ACCESS_TOKEN``: the program got its token from this gateway's authorization server.
        session_id: the browser's session, ``""`` where there is none; proofs for forms hold for it alone.
        assertion: the proof that came along, if a company's identity provider issued it.
        proves_intent: the request itself shows that its sender meant it, since no page of another site can make a
            browser send this proof: a header that the program adds. Forms then need no token. False for what a
            browser sends by itself (a cookie, HTTP Basic, a client certificate) and for what a proxy adds.
        client: the program, as its proof names it: the ``client_id`` of an access token, the id of a personal one.
        expires_at: when what came proves nothing any more; None where it does not say.
        groups: those that the person is in, each written as ``latchpin.model.write_group`` writes it.
        account: which of several accounts at the server is meant, by its label; ``""`` is the one without a label.
            None: the person's default there.
        stands_on: what the person is proven by, where that can end alone, by the name that ``end_proof`` is told:
            such as ``grant:`` with its id. ``""``: it ends with the person's sessions, or by itself.
        groups_said: the request itself says in which groups the person is, even where it says none.
    """

    email: str
    is_admin: bool = False
    via: str = "session"
    session_id: str = ""
    assertion: IdentityAssertion | None = field(default=None, repr=False, compare=False)
    proves_intent: bool = False
    expires_at: datetime | None = field(default=None, compare=False)
    groups: frozenset[str] = field(default=frozenset(), repr=False)
    client: str = field(default="", compare=False)
    account: str | None = None
    stands_on: str = field(default="", compare=False)
    groups_said: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an identity source may judge a request by.

    Attributes:
        peer: the address of the socket's other end, ``""`` where there is none (a unix socket).
        headers: lower-case name to every value received, in order.
        cookies: name to value.
        resource: the URL of the protected resource that is asked, as its metadata publishes it (RFC 9728): a token
            for exactly that audience is meant for it, and for nothing else here. None: another route.
    """

    peer: str
    headers: Mapping[str, tuple[str, ...]] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    resource: str | None = None
