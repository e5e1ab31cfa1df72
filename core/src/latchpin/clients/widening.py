"""More scopes for a registered client, at a server that lets a client ask only for those it is registered with.

The client stays the same, since the refresh tokens of all who authorized before are bound to it (RFC 7592 section 2.2).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from latchpin.clients.kept import KeptClients
from latchpin.contracts import ClientRegistrar, ClientUpdates, Clock, KeyValueRecords, RegistrationRequest
from latchpin.errors import UpstreamBusy, UpstreamError
from latchpin.model import RegisteredClient
from latchpin.workers.pauses import Pauses

__all__ = ["Widening"]

_log = logging.getLogger("latchpin.clients")

PATIENCE = timedelta(hours=1)
"""For how long a server that did not give a client some scopes is not asked for them again."""


class Widening:
    """Has the server add scopes to a client.

    Args:
        kept: reads and writes what is kept.
        marks: what workers tell each other.
        pauses: shared with them too.
        clock: the gateway's.
    """

    def __init__(self, kept: KeptClients, marks: KeyValueRecords, pauses: Pauses, clock: Clock) -> None:
        self._kept = kept
        self._marks = marks
        self._pauses = pauses
        self._clock = clock

    async def settled(
        self, registrar: ClientRegistrar, request: RegistrationRequest, *, recent: bool = False
    ) -> RegisteredClient | None:
        """The kept client that fits, if it has all scopes that are wanted or may not be asked to have now."""
        kept = await self._kept.fitting(request, recent=recent)
        if kept is None:
            return None
        missing = _missing(kept, request.scopes)
        if not missing or not _is_managed(kept) or not isinstance(registrar, ClientUpdates):
            return kept
        return kept if await self._marks.get(_mark(kept, missing)) is not None else None

    async def widen(
        self, registrar: ClientRegistrar, request: RegistrationRequest, client: RegisteredClient
    ) -> RegisteredClient:
        """Ask for the scopes that the client lacks; give what is kept in the end, with or without them.

        Hold the lease of a registration meanwhile.

        Raises:
            RegistrationFailed: the client was deleted meanwhile.
            Unsealable, BackendUnavailable: as for a registration.
        """
        token = self._kept.open_token(client)
        if isinstance(registrar, ClientUpdates) and token is not None:
            secret = self._kept.open(client).client_secret
            scopes = tuple(dict.fromkeys((*client.scope.split(), *request.scopes)))
            wider = replace(request, scopes=scopes)
            try:
                async with self._pauses.respected("registration", client.gateway_id):
                    answer = await registrar.update(
                        client, wider, client_secret=secret, registration_access_token=token
                    )
            except UpstreamBusy:
                return client
            except UpstreamError as exc:
                told = (client.gateway_id, client.client_id, exc.detail or exc.public, exc.code)
                _log.warning("DCR: gateway %s: the scopes of client %s stay as they are: %s [cause=%s]", *told)
                if exc.retry_after is not None:
                    return client  # it may say otherwise after the pause that it asked for
            else:
                client = await self._kept.replace(client, request, answer)
        await self.note(client, request)
        return client

    async def note(self, client: RegisteredClient, request: RegistrationRequest) -> None:
        """Note which scopes the server was asked for just now and did not give."""
        missing = _missing(client, request.scopes)
        if missing and _is_managed(client):
            await self._marks.put(_mark(client, missing), "asked", expires_at=self._clock() + PATIENCE)


def _missing(client: RegisteredClient, scopes: Sequence[str]) -> tuple[str, ...]:
    """The scopes that the client may not ask for. One that was registered without any is not limited."""
    has = client.scope.split()
    return tuple(sorted(set(scopes) - set(has))) if has else ()


def _is_managed(client: RegisteredClient) -> bool:
    return client.registration_client_uri is not None and client.registration_access_token is not None


def _mark(client: RegisteredClient, missing: Sequence[str]) -> str:
    place = "\n".join((client.id, client.client_id, *missing))
    return f"asked:scopes:{hashlib.sha256(place.encode()).hexdigest()}"
