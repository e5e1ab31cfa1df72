"""The end of all that proves one person here: sessions, bearer tokens, and what plugins end with them."""

from __future__ import annotations

from latchpin.identity.revocations import end_everything_of
from latchpin.services import Services

__all__ = ["sign_out"]


async def sign_out(services: Services, email: str, *, actor: str, way: str) -> None:
    """End it: at once at this worker, within a second at every other. What is under way for the person ends too.

    Args:
        services: the gateway's services.
        email: whose.
        actor: the address of who does it, or ``CLIENT_ITSELF``.
        way: by which way, in one word.

    Raises:
        RecordConflict, BackendUnavailable: try again.
    """
    await end_everything_of(services.kept, email, services.clock())
    services.context.endings.note()
    await services.activity.tell("person.signed-out", actor=actor, subject=email, way=way)
