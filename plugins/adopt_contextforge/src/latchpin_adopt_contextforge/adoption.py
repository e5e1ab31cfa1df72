"""Takes over gateway by gateway: the entry of each, then what goes with it.

Nothing is written twice and nothing of Latchpin's own is written over, so that it can be run again after whatever
stopped it. A token goes only to the gateway that it was given for: the same URL and the same authorization server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from latchpin.errors import ConfigurationError, Conflict, InvalidRequest, UpstreamError
from latchpin.model import Gateway
from latchpin.sdk.commands import OPERATOR
from latchpin.sdk.gateway import (
    Application,
    FoundServer,
    needs_browser,
    parse_gateway_body,
)

from latchpin_adopt_contextforge.clients import ClientAdoption
from latchpin_adopt_contextforge.errors import SourceUnreadable
from latchpin_adopt_contextforge.opened import Opened
from latchpin_adopt_contextforge.report import LeftOut, Report, Row
from latchpin_adopt_contextforge.sealing import Opener, Unopened, is_sealed
from latchpin_adopt_contextforge.source import Source, SourceGateway, SourceToken
from latchpin_adopt_contextforge.tokens import ANEW, Place, TokenAdoption
from latchpin_adopt_contextforge.translation import Translated, resource_of, same_issuer, translate

__all__ = ["Adoption", "check_secret"]

AT_ONCE = 8
"""Authorization servers that are asked at the same time."""
TRIED = 5
"""So many sealed values are tried before the secret is taken for the wrong one."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


async def check_secret(source: Source, opener: Opener) -> None:
    """Insist on a secret that opens something, where something is sealed.

    Raises:
        SourceUnreadable: it opens nothing of what was tried.
    """
    sealed = [
        each
        for each in (
            *(token.access_token for token in source.tokens),
            *(client.client_secret or "" for client in source.clients),
        )
        if is_sealed(each)
    ][:TRIED]
    for text in sealed:
        with suppress(Unopened):
            await asyncio.to_thread(opener.open, text)
            return
    if sealed:
        raise SourceUnreadable(
            f"The secret opens none of the first {len(sealed)} sealed values.",
            remedy="Give the AUTH_ENCRYPTION_SECRET that ContextForge runs with, as --secret env:NAME or file:PATH.",
        )


class Adoption:
    """Takes over, or says what it would take over.

    Args:
        application: the gateway that it goes to.
        source: what there is.
        opener: opens what is sealed in it.
        write: without it, nothing is written.
        tell: is told how far it is: what is counted, how many are done, and of how many.
    """

    def __init__(
        self,
        application: Application,
        source: Source,
        opener: Opener,
        *,
        write: bool,
        tell: Callable[[str, int, int], None],
    ) -> None:
        self._application = application
        self._records = application.services.records
        self._source = source
        self._opener = opener
        self._write = write
        self._tell = tell
        opened = Opened(opener)
        self._clients = ClientAdoption(application.services, opened, write=write)
        self._tokens = TokenAdoption(application, source, opened, write=write)

    async def run(self) -> Report:
        """Take over all there is.

        Raises:
            BackendUnavailable: Latchpin's store cannot be asked; what was taken over until then stays, and the next
                run goes on.
            SourceUnreadable: as ``Opener.open`` does.
        """
        found = await self._each("gateways", self._source.gateways, self._take_gateway)
        places = {source.id: place for source, (place, _) in zip(self._source.gateways, found, strict=True)}

        async def take_token(token: SourceToken) -> Row:
            return await self._tokens.take(token, places.get(token.gateway_id))

        tokens = await self._each("tokens", self._source.tokens, take_token)
        return Report((*(row for _, rows in found for row in rows), *tokens), self._write, tuple(self._notes()))

    def _notes(self) -> Iterable[str]:
        if self._source.virtual_servers:
            count = self._source.virtual_servers
            yield f"Virtual servers ({count}) are not taken over. Make sets of the gateways: latchpin sets create."

    async def _each(
        self, what: str, items: Sequence[ItemT], work: Callable[[ItemT], Awaitable[ResultT]]
    ) -> Sequence[ResultT]:
        """Do the work for all, some at a time; what each gives, in their order."""
        turns, done = asyncio.Semaphore(AT_ONCE), 0

        async def one(item: ItemT) -> ResultT:
            nonlocal done
            async with turns:
                result = await work(item)
            done += 1
            self._tell(what, done, len(items))
            return result

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(item)) for item in items]
        except BaseExceptionGroup as failed:  # the others were ended for the first
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _take_gateway(self, theirs: SourceGateway) -> tuple[Place | LeftOut, Sequence[Row]]:
        """Take over the entry, its client and its key; where its tokens go, or why they go nowhere."""
        rows: list[Row] = []
        place: Place | LeftOut
        try:
            place = await self._take_parts(theirs, rows)
        except LeftOut as out:
            place = out
        said = {row.whose for row in rows if row.kind == "client"}
        reason = place if isinstance(place, LeftOut) else LeftOut("its gateway does not use it", "Nothing to do.")
        rows += [
            Row("client", theirs.name, "left out", client.issuer, reason.why, reason.remedy)
            for client in self._source.clients
            if client.gateway_id == theirs.id and client.issuer not in said
        ]
        return place, rows

    async def _take_parts(self, theirs: SourceGateway, rows: list[Row]) -> Place:
        """Take them over one after the other.

        Raises:
            LeftOut: the gateway, or what comes after it.
        """
        try:
            ours = await asyncio.to_thread(translate, theirs, self._source, self._opener)
            gateway, found = await self._settle(theirs, ours, rows)
        except LeftOut as out:
            rows.append(Row("gateway", theirs.name, "left out", "", out.why, out.remedy))
            raise LeftOut(f"its gateway is left out: {out.why}", out.remedy) from None
        return await self._bind(theirs, ours, gateway, found, rows)

    async def _settle(
        self, theirs: SourceGateway, ours: Translated, rows: list[Row]
    ) -> tuple[Gateway, FoundServer | LeftOut | None]:
        """The gateway here, made if need be, and its authorization server; why it was not found; None without OAuth."""
        there = await self._records.gateways.get(ours.id)
        if there is not None:
            rows.append(Row("gateway", theirs.name, "there"))
            if (there.url, there.auth_type) != (theirs.url, ours.body["auth_type"]):
                out = LeftOut("the gateway here has another URL or auth_type", "Its users authorize here.")
                return there, out
            return there, await self._find(there)
        body, draft = ours.body, self._draft(ours.body, ours.id)
        found = await self._find(draft)
        if isinstance(found, LeftOut) and (other := _other_issuer(body)) is not None:
            second = await self._find(replace(self._draft(other, ours.id), revision=draft.revision + 1))
            body, found = (body, found) if isinstance(second, LeftOut) else (other, second)
        missed = found if isinstance(found, LeftOut) else None
        why = "; ".join([*ours.notes, *await self._namesakes(draft), *([missed.why] if missed else [])])
        rows.append(Row("gateway", theirs.name, "new", "", why, missed.remedy if missed else ""))
        if self._write:
            with suppress(Conflict):  # another run was faster
                await self._application.gateways.bring_back(self._draft(body, ours.id), OPERATOR)
            return await self._application.gateways.get_any(ours.id), found
        return self._draft(body, ours.id), found

    def _draft(self, body: Any, id: str) -> Gateway:  # noqa: A002, ANN401  the row's id; whatever JSON holds
        try:
            return self._application.gateways.draft(parse_gateway_body(body), OPERATOR, id=id)
        except InvalidRequest as exc:
            raise LeftOut(f"Latchpin does not take its entry: {exc.detail}", exc.remedy or "Enter it by hand.") from exc

    async def _find(self, gateway: Gateway) -> FoundServer | LeftOut | None:
        if gateway.oauth is None:
            return None
        try:
            return await self._application.servers.find(gateway)
        except (UpstreamError, ConfigurationError) as exc:
            return LeftOut(
                f"its authorization server is not found: {exc.detail or exc.public}", f"{exc.remedy} Then run it again."
            )

    async def _namesakes(self, gateway: Gateway) -> Sequence[str]:
        others = [each.name for each in await self._records.gateways.list() if each.url == gateway.url]
        return [f"another gateway here has the same URL: {others[0]}"] if others else []

    async def _bind(
        self,
        theirs: SourceGateway,
        ours: Translated,
        gateway: Gateway,
        found: FoundServer | LeftOut | None,
        rows: list[Row],
    ) -> Place:
        """What its tokens are bound to, its client or key taken over.

        Raises:
            LeftOut: they would go elsewhere than where they were given for, or could not be renewed.
        """
        if ours.key is not None and not isinstance(found, LeftOut):
            rows.append(await self._tokens.take_key(theirs, gateway, ours.key))
        if isinstance(found, LeftOut):
            raise found
        if found is None or gateway.oauth is None or not needs_browser(gateway):
            raise LeftOut("nobody authorizes at its gateway", "Nothing to do.")
        _check_server(theirs, ours, found)
        issuer = found.metadata.issuer
        if ours.client is not None:
            row, client_id = await self._clients.take(theirs, ours.client, gateway, found)
            rows.append(row)
        else:
            client_id = gateway.oauth.client_id
        if client_id is None or client_id != ours.client_id:
            raise LeftOut(
                "it was issued to another client than the one that acts for the gateway here",
                ANEW,
            )
        return Place(gateway, resource_of(theirs), issuer, client_id)


def _other_issuer(body: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same entry with a slash more or less at the end of its issuer; None without an issuer."""
    issuer = (body.get("oauth_config") or {}).get("issuer")
    if not issuer:
        return None
    other = issuer.rstrip("/") if issuer.endswith("/") else f"{issuer}/"
    return {**body, "oauth_config": {**body["oauth_config"], "issuer": other}}


def _check_server(theirs: SourceGateway, ours: Translated, found: FoundServer) -> None:
    """Let no refresh token go to another server than the one that gave it (RFC 9700 section 4.4).

    Raises:
        LeftOut: it would.
    """
    config = theirs.oauth_config
    issuer, token_url = config.get("issuer"), config.get("token_url")
    if ours.client is None and token_url:
        if token_url != found.metadata.token_endpoint:
            raise LeftOut(f"its tokens come from {token_url[:200]}, and the gateway has another server here", ANEW)
    elif issuer and not same_issuer(issuer, found.metadata.issuer):
        raise LeftOut(f"its tokens come from {issuer[:200]}, and the gateway has another server here", ANEW)
