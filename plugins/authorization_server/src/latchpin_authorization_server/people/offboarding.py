"""What a person allowed and made ends with the person's sessions, and everybody's with break-glass.

What a person's sign-out covers does not hold any more, whether it is still kept or not: those who judge grants and
personal tokens ask ``SessionRevocations`` too. Here it is removed, so that other workers stop within a second.
"""

from __future__ import annotations

from latchpin.contracts import Context
from latchpin.model import Fact

from latchpin_authorization_server.personal_tokens.service import PersonalTokens, open_personal_tokens
from latchpin_authorization_server.server import AuthorizationServer, open_server

__all__ = ["Offboarding"]


class Offboarding:
    """A recorder: whoever ends a person's sessions is answered once this is done too.

    Args:
        context: gives the authorization server when it is first needed.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def record(self, fact: Fact) -> None:
        """End what the fact ends.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if fact.name == "person.signed-out":
            await self._end_all_of(fact.subject, fact.actor)
        elif fact.name == "break-glass.done":  # not when it begins: taking back waits for nothing
            await self._end_what_was_taken_back(fact.actor)

    async def _end_all_of(self, email: str, actor: str) -> None:
        server, tokens = await self._open()
        await server.requests.forget(email)
        await server.consents.forget(email)
        async for grant in server.grants.of_person(email):
            await server.end(grant, actor=actor, alone=False)
        await tokens.end_all_of(email, actor)

    async def _end_what_was_taken_back(self, actor: str) -> None:
        """All that was allowed before; people who came back meanwhile keep what they allowed since."""
        server, tokens = await self._open()
        await server.requests.forget()
        await server.consents.forget_all()
        async for grant in server.grants.of_everybody():
            if await server.revocations.cover(grant.email, grant.created_at.timestamp()):
                await server.end(grant, actor=actor, alone=False)
        await tokens.end_all_covered(actor)

    async def _open(self) -> tuple[AuthorizationServer, PersonalTokens]:
        return await open_server(self._context), await open_personal_tokens(self._context)
