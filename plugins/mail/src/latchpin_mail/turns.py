"""The outbox of mail: filled by one worker at a time, worked off by all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.contracts import Context
from latchpin.model import COMPANY, Caller
from latchpin.sdk.identity import is_out
from latchpin_attention.book import NeedsBook, in_turn
from latchpin_attention.finding import needs_of
from latchpin_attention.need import Need
from latchpin_attention.outbox import Entry, Moot, Outbox, Undelivered, outbox_spec

from latchpin_mail.address import is_deliverable
from latchpin_mail.letter import Letter, build_letter
from latchpin_mail.people import Bounds, People, Told, draft
from latchpin_mail.settings import TRY_WITHIN, MailSettings

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["FILL_EVERY", "OUTBOX", "PAUSES", "Turns", "open_outbox"]

OUTBOX = outbox_spec("mail_outbox")
FILL_EVERY = timedelta(seconds=30)
_FILLS = "mail-fill"
KEPT_FOR = timedelta(days=60)
PAUSES = tuple(timedelta(minutes=each) for each in (1, 5, 15, 30, 60, 120, 240, 480, 960, 1_440))
"""About two and a quarter days in all: by then a mail server is mended, or somebody has to look."""


def open_outbox(context: Context) -> Outbox:
    """The outbox of a gateway."""
    claimed = timedelta(seconds=2 * TRY_WITHIN + 30)
    return Outbox(context.collection(OUTBOX), context.clock, pauses=PAUSES, claimed_for=claimed, kept_for=KEPT_FOR)


class Turns:
    """Takes this worker's turns.

    Args:
        application: the running gateway.
        settings: the plugin's.
    """

    def __init__(self, application: Application, settings: MailSettings) -> None:
        self._application = application
        self._settings = settings
        self._outbox = open_outbox(application.services.context)
        self._people = People.of(application.services.context)
        self._bounds = Bounds(
            timedelta(hours=settings.mail_pause_hours),
            timedelta(days=settings.mail_reminder_days),
            settings.mail_reminders,
        )

    async def take(self) -> int:
        """Decide who is told, unless another worker did a moment ago, and send what is due; return how many were.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        services = self._application.services
        if await in_turn(services.kept, services.clock, _FILLS, FILL_EVERY):
            await self.fill()
        return await self._outbox.work_off(self._deliver)

    async def fill(self) -> int:
        """Put a mail for each person who is to be told; return how many were put.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        needs = await NeedsBook.of(self._application.services.context).read()
        return sum([await self._tell(person, theirs) for person, theirs in (await self._by_person(needs)).items()])

    async def _by_person(self, needs: Iterable[Need]) -> dict[str, list[Need]]:
        """What all share is told to who connected it; where that is nobody any more, to every administrator."""
        telling = [need for need in needs if need.telling]
        out = await self._who_is_out({need.person for need in telling if need.person} | set(self._administrators))
        found: dict[str, list[Need]] = {}
        for need in telling:
            gone = need.person is None or (need.owner == COMPANY and need.person in out)
            for person in self._administrators if gone else [need.person or ""]:
                found.setdefault(person, []).append(need)
        return {person: theirs for person, theirs in found.items() if person not in out and is_deliverable(person)}

    async def _who_is_out(self, people: Iterable[str]) -> set[str]:
        """Who of them left: nothing is told to them any more."""
        return {person for person in people if await is_out(self._application.services.kept, person)}

    @property
    def _administrators(self) -> list[str]:
        return [each for each in self._application.services.settings.admin_emails if is_deliverable(each)]

    async def _tell(self, person: str, needs: list[Need]) -> bool:
        """A draft is kept with what they were told, in one write: who dies behind it leaves it to the next turn."""
        told = await self._people.get(person)
        if told.draft is not None:
            return await self._send_off(told)
        if not await self._people.wants_mail(person):
            return False
        decided = draft(told, needs, self._bounds, self._application.services.clock())
        if decided is None:
            return False
        kept = await self._people.put(decided)
        return kept is not None and await self._send_off(kept)

    async def _send_off(self, told: Told) -> bool:
        assert told.draft is not None  # noqa: S101  both callers looked
        put = await self._outbox.put(told.draft.id, {"to": told.person, "needs": list(told.draft.needs)})
        await self._people.put(replace(told, draft=None))
        return put

    async def _deliver(self, entry: Entry) -> None:
        """Send one, about what still needs its reader; what was mended meanwhile is not in it."""
        from latchpin_mail import smtp  # noqa: PLC0415  its client is loaded where mail is sent

        person, services = str(entry.body["to"]), self._application.services
        if not await self._people.wants_mail(person) or await is_out(self._application.services.kept, person):
            raise Moot
        needs = await self._standing(person, set(entry.body["needs"]))
        if not needs:
            raise Moot
        letter = Letter(entry.id, self._settings.mail_from, person, services.settings.base_url, services.clock())
        links = [services.settings.authorize_url(each.gateway_id, each.account) for each in needs]
        try:
            message = build_letter(letter, list(zip(needs, links, strict=True)))
        except ValueError as exc:
            raise Undelivered(str(exc), final=True) from exc
        await smtp.send(self._settings, message, base_url=services.settings.base_url)

    async def _standing(self, person: str, wanted: set[str]) -> list[Need]:
        """Those that still stand: their own at gateways that they may use, and what all share."""
        application = self._application
        own = await needs_of(application, await application.with_groups(Caller(person)))
        shared = [each for each in await needs_of(application, Caller(person, is_admin=True)) if each.owner == COMPANY]
        return [each for each in (*own, *shared) if each.id in wanted]
