"""The flow inspector: administrators see every flow, a user sees their own, nobody else learns that there is one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from latchpin.activity.history import FlowHistory
from latchpin.errors import BackendUnavailable, NotFound
from latchpin.model import Caller
from latchpin.model.flow_facts import Failed
from latchpin.model.flow_steps import FlowQuery, FlowStep, FlowSummary, summarize
from latchpin.model.ids import is_id
from latchpin.records.flows import FlowRecords

__all__ = ["Flow", "FlowInspector"]


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow, whole, as the one who asks may see it."""

    summary: FlowSummary
    steps: tuple[FlowStep, ...]


class FlowInspector:
    """Looks at the history of flows for a caller."""

    def __init__(self, records: FlowRecords, history: FlowHistory) -> None:
        self._records = records
        self._history = history

    async def list(self, query: FlowQuery, caller: Caller, *, limit: int) -> list[FlowSummary]:
        """At most ``limit`` flows that match and that ``caller`` may see, the newest last step first."""
        if not caller.is_admin:
            if query.app_user_email not in {None, caller.email}:
                return []
            query = replace(query, app_user_email=caller.email)
        await self.catch_up()
        return await self._records.list(query, limit=limit)

    async def show(self, flow_id: str, caller: Caller) -> Flow:
        """One flow's steps.

        Raises:
            NotFound: there is none, or it is somebody else's: the same either way.
            BackendUnavailable: the store cannot be asked.
        """
        steps = await self._steps(flow_id) if is_id(flow_id) else ()
        if not steps or not (caller.is_admin or steps[0].app_user_email == caller.email):
            raise NotFound(
                "there is no such flow, or it is not yours",
                remedy="Check the id, and sign in as the user who authorized; flows are kept for FLOW_HISTORY_HOURS.",
            )
        return Flow(summarize(steps), steps if caller.is_admin else tuple(map(_for_its_user, steps)))

    async def catch_up(self) -> None:
        """Write what this process has not yet written: people look at once for what they just did.

        What other processes have not yet written follows within a second.
        """
        with suppress(BackendUnavailable):  # what is kept already may still be read
            await self._history.flush()

    async def _steps(self, flow_id: str) -> tuple[FlowStep, ...]:
        await self.catch_up()
        return await self._records.get(flow_id)


def _for_its_user(step: FlowStep) -> FlowStep:
    """What is about our stores and settings is for administrators."""
    if isinstance(step.facts, Failed) and step.facts.internal:
        return replace(step, facts=replace(step.facts, happened=""))
    return step
