"""The guarded way out, where ``Context.upstream`` does not do: streams, redirects, limits of one's own.

``open_session`` opens a ``GuardedSession``. It connects to checked addresses only, follows no redirects, keeps no
cookies, and ends at a deadline. It sends an ``Outgoing`` and gives an ``Answer``, whose body comes in pieces, or raises
``Failure``, which says whether anything was sent. ``explain_failure`` turns that into an error of ``latchpin.errors``,
and ``host_of`` names the server for people. ``ByteBudget`` says how much may come::

    async with open_session() as session:
        answer = await session.send(Outgoing("GET", url, (), b"", deadline, ByteBudget(1_000_000)))

What leaves the company does so through the proxy of OUTBOUND_PROXY where ``open_session`` is given
``egress=find_egress(settings)``.

``open_decoder`` decodes a body that came undecoded; it raises ``BodyTooLarge`` or ``BodyUndecodable``.

``ask_patiently`` repeats what raises ``UpstreamBusy``, for at most four seconds: a request that is safe to repeat.

For another program that connects in the gateway's place: ``refusal`` says why an address is not connected to, None if
it may be, and ``find_roots`` names the file of the roots that TLS trusts.

``is_redirect``, ``follow_redirect``, ``tell_redirect`` and ``explain_redirect`` judge a redirect as the gateway does
everywhere: it is followed within one origin, at most ``MOST_REDIRECTS`` times.
"""

from typing import TYPE_CHECKING

from latchpin.lazily import finder

if TYPE_CHECKING:
    from latchpin.outbound.addresses import refusal
    from latchpin.outbound.decoding import BodyTooLarge, BodyUndecodable, ByteBudget, open_decoder
    from latchpin.outbound.egress import find_egress
    from latchpin.outbound.failure import Failure
    from latchpin.outbound.http import GuardedSession, open_session
    from latchpin.outbound.messages import Answer, Outgoing
    from latchpin.outbound.patience import ask_patiently
    from latchpin.outbound.redirects import (
        MOST_REDIRECTS,
        explain_redirect,
        follow_redirect,
        is_redirect,
        tell_redirect,
    )
    from latchpin.outbound.tls import find_roots
    from latchpin.outbound.upstream import explain_failure, host_of

__all__ = [
    "MOST_REDIRECTS",
    "Answer",
    "BodyTooLarge",
    "BodyUndecodable",
    "ByteBudget",
    "Failure",
    "GuardedSession",
    "Outgoing",
    "ask_patiently",
    "explain_failure",
    "explain_redirect",
    "find_egress",
    "find_roots",
    "follow_redirect",
    "host_of",
    "is_redirect",
    "open_decoder",
    "open_session",
    "refusal",
    "tell_redirect",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.outbound.addresses": ("refusal",),
        "latchpin.outbound.decoding": ("BodyTooLarge", "BodyUndecodable", "ByteBudget", "open_decoder"),
        "latchpin.outbound.egress": ("find_egress",),
        "latchpin.outbound.failure": ("Failure",),
        "latchpin.outbound.http": ("GuardedSession", "open_session"),
        "latchpin.outbound.messages": ("Answer", "Outgoing"),
        "latchpin.outbound.patience": ("ask_patiently",),
        "latchpin.outbound.redirects": (
            "MOST_REDIRECTS",
            "explain_redirect",
            "follow_redirect",
            "is_redirect",
            "tell_redirect",
        ),
        "latchpin.outbound.tls": ("find_roots",),
        "latchpin.outbound.upstream": ("explain_failure", "host_of"),
    },
)
