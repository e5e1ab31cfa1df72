"""Break-glass: everything that was given out is taken back at once, after something was stolen.

Here first, which takes moments: nobody's session, bearer token, authorization or connection holds any more. Then every
authorization server is told, for as long as that may take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from latchpin.errors import Forbidden
from latchpin.model import Caller, Gateway, StoredToken
from latchpin.sdk.identity import EVERYBODY, end_everything_of

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application, Revocation

__all__ = ["Broken", "take_back"]

_ROUNDS = 2
"""What another worker was about to keep at the first is there at the second."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What was taken back.

    Attributes:
        connections: tokens that were deleted here.
        revoked: how many of them their servers have revoked.
        not_revoked: the others; they are valid there until they expire.
        authorizations: states of authorizations that were under way, and of finished ones.
        seconds_here: how long it took until nothing held here any more.
        seconds: how long it took in all.
        answers: what the servers said that revoked none, each once.
    """

    connections: int
    revoked: int
    not_revoked: int
    authorizations: int
    seconds_here: float
    seconds: float
    answers: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


async def take_back(application: Application, caller: Caller, *, within: timedelta, now: Callable[[], float]) -> Broken:
    """End all sessions, authorizations and connections, and revoke the connections' tokens.

    Args:
        application: the gateway.
        caller: who does it.
        within: how long the servers of one gateway are waited for; gateways are dealt with side by side.
        now: a clock that only goes on, in seconds.

    Raises:
        Forbidden: the caller is no administrator.
        BackendUnavailable: a store cannot be asked; do it again, what was deleted stays so.
    """
    if not caller.is_admin:
        raise Forbidden("only administrators may take everything back")
    began, services = now(), application.services
    await services.activity.tell("break-glass.begun", actor=caller.email)
    await end_everything_of(services.kept, EVERYBODY, services.clock())
    authorizations = await services.states.purge(everything=True) if services.states is not None else 0
    here, said = 0.0, []
    for number in range(_ROUNDS):
        taken = await _delete(application)
        here = now() - began if number == 0 else here
        said += await _revoke(application, taken, within)
    broken = _sum_up(said, authorizations, here, now() - began)
    facts = {name: str(value) for name, value in broken.describe().items() if name != "answers"}
    await services.activity.tell("break-glass.done", actor=caller.email, **facts)
    return broken


async def _delete(application: Application) -> list[tuple[Gateway, list[StoredToken]]]:
    """The tokens first, of all gateways; then what is only of use with them."""
    services, taken = application.services, []
    for gateway in await services.records.gateways.list():
        tokens = await services.records.tokens.list(gateway_id=gateway.id)
        await services.records.tokens.delete_all(gateway.id)
        taken.append((gateway, tokens))
    await application.assertions.clear()
    for gateway, tokens in taken:
        for token in tokens:
            await services.tools.replace(gateway.id, token.app_user_email, {}, token.label)
    return taken


async def _revoke(
    application: Application, taken: list[tuple[Gateway, list[StoredToken]]], within: timedelta
) -> list[Revocation]:
    revoke_all = application.revoker.revoke_all
    asked = (revoke_all(gateway, tokens, (), within=within) for gateway, tokens in taken if tokens)
    return [each for answers in await asyncio.gather(*asked) for each in answers]


def _sum_up(said: list[Revocation], authorizations: int, here: float, seconds: float) -> Broken:
    revoked = sum(each.done for each in said)
    return Broken(
        connections=len(said),
        revoked=revoked,
        not_revoked=len(said) - revoked,
        authorizations=authorizations,
        seconds_here=round(here, 3),
        seconds=round(seconds, 3),
        answers=tuple(sorted({each.answer for each in said if not each.done})),
    )
