"""A client registered once, widened and kept, however many want it at once, in however many processes.

Inside a process they wait for one task; between processes a lease with an end decides, and whoever lost reads what the
winner kept.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from latchpin.clients.kept import KeptClients
from latchpin.clients.widening import Widening
from latchpin.contracts import ClientRegistrar, Registration, RegistrationRequest
from latchpin.errors import IssuerMissing, RegistrationFailed
from latchpin.model import ClientCredentials, RegisteredClient
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Registrations"]

LEASE = timedelta(seconds=120)
"""How long one process may take to register; a process that dies gives way after this."""
PATIENCE = timedelta(seconds=60)
"""How long another waits for what it keeps."""


class Registrations:
    """Registers through a registrar whose answers are kept.

    Args:
        kept: reads and writes what is kept.
        widening: adds scopes to what is kept.
        leases: shared with the other processes.
        pauses: shared with them too.
    """

    def __init__(self, kept: KeptClients, widening: Widening, leases: Leases, pauses: Pauses) -> None:
        self._kept = kept
        self._widening = widening
        self._leases = leases
        self._pauses = pauses
        self._under_way: SharedTasks[tuple[str, ...], RegisteredClient | ClientCredentials | None] = SharedTasks()

    async def kept_or_registered(
        self, registrar: ClientRegistrar, request: RegistrationRequest
    ) -> ClientCredentials | None:
        """Give the client that is kept, else one that is registered now; None if the registrar cannot.

        One that is kept and lacks scopes is widened first, if the server does so.

        Raises:
            IssuerMissing: there is no issuer to keep it under.
            RegistrationFailed: the server refused, or another process does not finish.
            Unsealable, RecordConflict, BackendUnavailable.
            UpstreamError: also because the server asked to be left alone for a while.
        """
        kept = await self._widening.settled(registrar, request, recent=True)
        if kept is None:
            answer = await self._once_here(registrar, request)
            if not isinstance(answer, RegisteredClient):
                return answer
            kept = answer
        return self._kept.open(kept)

    async def close(self) -> None:
        """Let registrations that are under way end."""
        await self._under_way.close()

    async def _once_here(
        self, registrar: ClientRegistrar, request: RegistrationRequest
    ) -> RegisteredClient | ClientCredentials | None:
        """Let everybody in this process who wants the same client wait for one task."""
        key = (request.gateway.id, request.server.issuer or "", request.redirect_uri, *request.scopes)
        return await self._under_way.run(key, lambda: self._once_anywhere(registrar, request))

    async def _once_anywhere(
        self, registrar: ClientRegistrar, request: RegistrationRequest
    ) -> RegisteredClient | ClientCredentials | None:
        """Register or widen under a lease that all processes see, or wait for what its holder keeps."""
        if request.server.issuer is None:
            return _unkept(await registrar.register(request))

        try:
            async with self._leases.hold(
                "client",
                (request.gateway.id, request.server.issuer),
                life=LEASE,
                wait=PATIENCE,
                meanwhile=partial(self._widening.settled, registrar, request),
            ) as made:
                return made or await self._make(registrar, request)
        except TimeoutError as exc:
            if (kept := await self._kept.fitting(request)) is not None:
                return kept
            raise RegistrationFailed(
                "Another process has been registering this gateway's client and does not finish.",
                remedy="Try again in two minutes: the registration then counts as abandoned.",
            ) from exc

    async def _make(
        self, registrar: ClientRegistrar, request: RegistrationRequest
    ) -> RegisteredClient | ClientCredentials | None:
        kept = await self._kept.fitting(request)
        if kept is not None:
            return await self._widening.widen(registrar, request, kept)
        async with self._pauses.respected("registration", request.gateway.id):
            answer = await registrar.register(request)
        if not isinstance(answer, Registration):
            return answer
        client = await self._kept.keep(request, answer)
        await self._widening.note(client, request)
        return client


def _unkept(answer: ClientCredentials | Registration | None) -> ClientCredentials | None:
    """A registration that names no issuer could not be found again, so none is made."""
    if isinstance(answer, Registration):
        raise IssuerMissing
    return answer
