"""Who somebody is, and what proves it.

``parse_email`` reads the address that names a user, and refuses what is none. ``create_link`` makes a link that signs
somebody in, once.

``end_everything_of`` ends the sessions and bearer tokens of one person, or of ``EVERYBODY``; ``ended_at`` says when
that was last done, and ``ended_since`` whether it was since a moment. ``end_proof`` ends what is under way for callers
who stand on one proof that ended alone (``Caller.stands_on``); after ``forget_ended_proof`` its name is a new one's.

``bar`` keeps a person out until ``let_in`` takes that back: no identity and nothing that they hold lets them in.
``is_out`` says whether somebody is out, ``find_barred`` since when and by whom, as a ``Barred``, and ``list_barred``
names all. The core asks wherever it asks who somebody is. ``latchpin-offboarding`` ends besides what they have.

``decode_jwt`` verifies a JWT under given keys, with the gateway's clock, and a ``Verifier`` remembers which it has
proven; ``explain_jwt`` says why one was refused without repeating it, and ``read_key_id`` which key it names.
``parse_authorization`` reads the ``Authorization`` header, and ``SessionRevocations`` says what was ended of a
person. ``KeySet`` fetches and keeps another server's published
keys (RFC 7517), ``parse_key_set`` reads such keys, and ``SIGNING_ALGORITHMS`` are those that they may have::

    key = await KeySet(url, upstream=context.upstream, clock=context.clock, name="ACME_JWKS_URL").find(key_id)

``session_cookie_name`` is what the cookie of a person's session is called.

``AssertionStore`` keeps identity providers' ID tokens about people, sealed, until they expire or the people's
sessions end.
"""

from typing import TYPE_CHECKING

from latchpin.lazily import finder

if TYPE_CHECKING:
    from latchpin.identity.address import parse_email
    from latchpin.identity.assertion_store import AssertionStore
    from latchpin.identity.barred import Barred, bar, find_barred, is_out, let_in, list_barred
    from latchpin.identity.ended_proofs import end_proof, forget_ended_proof
    from latchpin.identity.jwks import SIGNING_ALGORITHMS, KeySet, parse_key_set
    from latchpin.identity.jwts import Verifier, decode_jwt, explain_jwt, read_key_id
    from latchpin.identity.login import create_link
    from latchpin.identity.presented import parse_authorization
    from latchpin.identity.revocations import (
        EVERYBODY,
        SessionRevocations,
        end_everything_of,
        ended_at,
        ended_since,
    )
    from latchpin.identity.sessions import session_cookie_name

__all__ = [
    "EVERYBODY",
    "SIGNING_ALGORITHMS",
    "AssertionStore",
    "Barred",
    "KeySet",
    "SessionRevocations",
    "Verifier",
    "bar",
    "create_link",
    "decode_jwt",
    "end_everything_of",
    "end_proof",
    "ended_at",
    "ended_since",
    "explain_jwt",
    "find_barred",
    "forget_ended_proof",
    "is_out",
    "let_in",
    "list_barred",
    "parse_authorization",
    "parse_email",
    "parse_key_set",
    "read_key_id",
    "session_cookie_name",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.identity.address": ("parse_email",),
        "latchpin.identity.assertion_store": ("AssertionStore",),
        "latchpin.identity.barred": ("Barred", "bar", "find_barred", "is_out", "let_in", "list_barred"),
        "latchpin.identity.ended_proofs": ("end_proof", "forget_ended_proof"),
        "latchpin.identity.jwks": ("SIGNING_ALGORITHMS", "KeySet", "parse_key_set"),
        "latchpin.identity.jwts": ("Verifier", "decode_jwt", "explain_jwt", "read_key_id"),
        "latchpin.identity.login": ("create_link",),
        "latchpin.identity.presented": ("parse_authorization",),
        "latchpin.identity.revocations": (
            "EVERYBODY",
            "SessionRevocations",
            "end_everything_of",
            "ended_at",
            "ended_since",
        ),
        "latchpin.identity.sessions": ("session_cookie_name",),
    },
)
