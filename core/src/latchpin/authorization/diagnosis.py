"""Why a callback failed, more exactly than the check that refused it can know.

It runs only when a callback has failed, asks what the processes and the store can prove, and claims no more. If it
fails itself, the general cause stands.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from latchpin.authorization.pending import KEPT_FOR, PendingAuthorizations
from latchpin.contracts import StoreDiagnostics, StoreFacts
from latchpin.errors import LatchpinError, StateExpired, StateNotFound
from latchpin.errors.causes import missing as causes
from latchpin.errors.causes.callback import CLOCK_SKEW
from latchpin.oauth.state import LEEWAY, StatePayload
from latchpin.services import Services
from latchpin.workers.instance_names import Whereabouts, locate, parse_instance_name

__all__ = ["Diagnosis"]

_log = logging.getLogger("latchpin.diagnosis")

PATIENCE_SECONDS = 1.0
SETTLED = 2 * KEPT_FOR
"""A name that is older than this is known to every process that works on these data."""

_IN_MEMORY = {
    Whereabouts.RUNNING: causes.STATE_OTHER_WORKER,
    Whereabouts.ENDED: causes.STATE_BEFORE_RESTART,
    Whereabouts.ELSEWHERE: causes.STATE_OTHER_MACHINE,
}


class Diagnosis:
    """Narrows the cause of a failed callback."""

    def __init__(self, services: Services, pending_authorizations: PendingAuthorizations) -> None:
        self._services = services
        self._pending_authorizations = pending_authorizations

    async def narrow(self, exc: LatchpinError, payload: StatePayload | None) -> None:
        """Give ``exc`` its exact cause, if it can be proven; ``payload`` is the state's, if its signature holds."""
        if payload is None or not isinstance(exc, StateNotFound | StateExpired):
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if isinstance(exc, StateNotFound):
                    await self._missing(exc, payload)
                else:
                    await self._late(exc, payload)
        except Exception as failed:  # noqa: BLE001  a diagnosis must never hide what it was to explain
            _log.debug("No diagnosis: %s", type(failed).__name__)

    # -- not in the store ---------------------------------------------------------------------------------

    async def _missing(self, exc: StateNotFound, payload: StatePayload) -> None:
        backend = self._services.state_backend
        if backend is not None and not backend.shared:
            self._missing_in_memory(exc, payload, backend.label)
            return
        facts = await self._facts()
        if facts is not None and payload.store:
            self._missing_in_store(exc, payload, facts)

    def _missing_in_memory(self, exc: StateNotFound, payload: StatePayload, label: str) -> None:
        where = locate(payload.instance, own=self._services.instance_id)
        if where is Whereabouts.THIS:
            exc.explain_as(causes.STATE_REMOVED, store=label, how="this very process kept it; its states were purged")
        elif (cause := _IN_MEMORY.get(where)) is not None:
            name = parse_instance_name(payload.instance)
            exc.explain_as(cause, pid=f"process {name.pid}" if name else payload.instance)

    def _missing_in_store(self, exc: StateNotFound, payload: StatePayload, facts: StoreFacts) -> None:
        label, issued_at = self._label(), payload.issued_at
        same = payload.store in {facts.name, self._pending_authorizations.known_name}
        emptied = facts.since > issued_at
        if facts.evictions and (same or emptied):
            exc.explain_as(causes.STATE_EVICTED, store=label, how=facts.evictions)
        elif same and payload.store == facts.name:
            how = "it was deleted or purged, and the rest of the store is still there"
            exc.explain_as(causes.STATE_REMOVED, store=label, how=how)
        elif same or emptied:
            how = f"the store was emptied or replaced, and began anew at {_time(facts.since)}"
            exc.explain_as(causes.STATE_REMOVED, store=label, how=how)
        elif issued_at - facts.since > SETTLED:
            exc.explain_as(
                causes.STATE_NEVER_STORED, store=label, instance=payload.instance, born_at=_time(facts.since)
            )

    # -- too late -----------------------------------------------------------------------------------------

    async def _late(self, exc: StateExpired, payload: StatePayload) -> None:
        now = self._services.clock()
        late, limit = now - exc.expired_at, exc.expired_at - payload.issued_at
        exc.explain_as(exc.cause, late=int(late.total_seconds()), limit=int(limit.total_seconds()))
        facts = await self._facts()
        if facts is None or facts.now is None:
            return
        ahead = now - facts.now
        if ahead > LEEWAY and facts.now < exc.expired_at:
            exc.explain_as(
                CLOCK_SKEW,
                whose="this instance's clock",
                seconds=int(ahead.total_seconds()),
                direction=f"ahead of that of the {self._label()}, by which the authorization has not expired",
                leeway=int(LEEWAY.total_seconds()),
            )

    # -- both ---------------------------------------------------------------------------------------------

    async def _facts(self) -> StoreFacts | None:
        states = self._services.states
        return await states.facts() if isinstance(states, StoreDiagnostics) else None

    def _label(self) -> str:
        backend = self._services.state_backend
        return backend.label if backend is not None else "store"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
