"""The outbox of webhooks: filled by one worker at a time, worked off by all."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from latchpin.contracts import Context
from latchpin.sdk.settings import CoreSettings, load
from latchpin_attention.book import NeedsBook, in_turn
from latchpin_attention.finding import still_needed
from latchpin_attention.need import Need, parse_need
from latchpin_attention.outbox import Entry, Moot, Outbox, Undelivered, outbox_spec

from latchpin_webhook.delivery import post
from latchpin_webhook.endpoints import Endpoints
from latchpin_webhook.events import MENDED, NEEDS_PERSON, EventName, describe_need, format_event, is_ours, parse_event

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["FILL_EVERY", "OUTBOX", "PAUSES", "Turns", "name_message", "open_outbox", "retry_dead"]

OUTBOX = outbox_spec("webhook_outbox")
FILL_EVERY = timedelta(seconds=10)
_FILLS = "webhook-fill"
KEPT_FOR = timedelta(days=60)
TOLD_WITHIN = timedelta(days=30)
"""What has needed somebody for longer is told no more: a new setting must not tell of everything that ever ended."""
PAUSES = tuple(timedelta(seconds=each) for each in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""What Standard Webhooks proposes: about three and a half days in all."""
_MARGIN = timedelta(seconds=15)


def open_outbox(context: Context) -> Outbox:
    """The outbox of a gateway."""
    tries = load(CoreSettings).oauth_request_timeout
    return Outbox(
        context.collection(OUTBOX),
        context.clock,
        pauses=PAUSES,
        claimed_for=2 * timedelta(seconds=tries) + 2 * _MARGIN,
        kept_for=KEPT_FOR,
    )


async def retry_dead(context: Context, endpoints: Endpoints, name: str = "") -> int:
    """Have the message of that id tried again, or without one all that were given up; return how many are.

    Their receivers are told again then, also where they said that they are gone.
    """
    outbox = open_outbox(context)
    named = await outbox.get(name) if name else None
    count = await outbox.retry(name)
    for endpoint in endpoints.all.values() if count else ():
        if named is None or named.body.get("endpoint") == endpoint.id:
            await endpoints.note_back(endpoint)
    return count


class Turns:
    """Takes this worker's turns.

    Args:
        application: the running gateway.
        endpoints: the receivers.
    """

    def __init__(self, application: Application, endpoints: Endpoints) -> None:
        self._application = application
        self._endpoints = endpoints
        self._outbox = open_outbox(application.services.context)
        self._put_before: set[str] = set()

    async def take(self) -> int:
        """Fill the outbox, unless another worker did a moment ago, and deliver what is due; return how many were.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        services = self._application.services
        if await in_turn(services.kept, services.clock, _FILLS, FILL_EVERY):
            await self.fill()
        return await self._outbox.work_off(self._deliver)

    async def fill(self) -> int:
        """Put what nobody has put yet, for each receiver; return how many were put.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        book = NeedsBook.of(self._application.services.context)
        needs, over = [each for each in await book.read() if each.telling], await book.read_over()
        oldest, wanted, count = self._application.services.clock() - TOLD_WITHIN, set(), 0
        for endpoint in self._endpoints.all.values():
            if await self._endpoints.gone_since(endpoint) is not None:
                continue
            for need in needs:
                name = name_message(endpoint.id, NEEDS_PERSON, need.id)
                wanted.add(name)
                if name not in self._put_before and need.since >= oldest:
                    count += await self._put(name, endpoint.id, NEEDS_PERSON, need)
            for need in over:
                name = name_message(endpoint.id, MENDED, need.id)
                wanted.add(name)
                if name not in self._put_before:
                    count += await self._tell_over(name, endpoint.id, need)
        self._put_before &= wanted
        return count

    async def _tell_over(self, name: str, endpoint: str, need: Need) -> bool:
        """Only to who was told that it began; who is being told at this moment is told of the end later."""
        begun = await self._outbox.get(name_message(endpoint, NEEDS_PERSON, need.id))
        if begun is None or begun.state in {"moot", "dead"}:
            self._put_before.add(name)
            return False
        return begun.state == "done" and await self._put(name, endpoint, MENDED, need)

    async def _put(self, name: str, endpoint: str, event: EventName, need: Need) -> bool:
        at = self._application.services.clock().isoformat()
        body = {"endpoint": endpoint, "event": event, "at": at, "need": need.describe()}
        put = await self._outbox.put(name, body)
        self._put_before.add(name)
        return put

    async def _deliver(self, entry: Entry) -> None:
        """Send one; what is not so any more is not told."""
        endpoint = self._endpoints.all.get(str(entry.body["endpoint"]))
        if endpoint is None or await self._endpoints.gone_since(endpoint) is not None:
            raise Moot
        event, need = _read(entry, endpoint.id)
        if event == NEEDS_PERSON:
            standing = await still_needed(self._application, [need])
            if not standing:
                raise Moot
            need = standing[0]  # as it is judged now, whatever the entry says of it
        services = self._application.services
        data = describe_need(need, services.settings.authorize_url(need.gateway_id, need.account))
        body = format_event(event, datetime.fromisoformat(str(entry.body["at"])), data)
        await post(self._endpoints, endpoint, entry.id, body, services.clock())


def _read(entry: Entry, endpoint: str) -> tuple[EventName, Need]:
    """What an entry tells. Receivers believe what is signed, so nothing is but what this gateway can have put there.

    Raises:
        Undelivered: somebody else wrote it into the store.
    """
    with suppress(KeyError, TypeError, ValueError):
        event, need = parse_event(entry.body["event"]), parse_need(entry.body["need"])
        if is_ours(need) and entry.id == name_message(endpoint, event, need.id):
            return event, need
    raise Undelivered("it is not as this gateway puts it: it was changed in the store", final=True)


def name_message(endpoint: str, event: EventName, need: str) -> str:
    """A message's id: the same for each try, and for every worker that might put it."""
    return f"msg_{hashlib.sha256(f'{endpoint} {event} {need}'.encode()).hexdigest()[:32]}"
