"""Takes over gateway by gateway: the entry, the registered client, the tokens and the key of each.

Nothing is written twice and nothing of Latchpin's own is written over, so that it can be run again after whatever
stopped it. A token goes only to the gateway that it was given for: the same URL and the same authorization server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from latchpin.errors import ConfigurationError, Conflict, InvalidRequest, RecordConflict, UpstreamError
from latchpin.model import COMPANY, Caller, Gateway, StoredToken, TokenGrant
from latchpin.sdk.commands import OPERATOR
from latchpin.sdk.gateway import (
    API_KEY,
    Application,
    FoundServer,
    build_token,
    may_use,
    needs_browser,
    parse_gateway_body,
)
from latchpin.sdk.identity import parse_email
from latchpin.sdk.oauth import LONGEST_LIFETIME

from latchpin_adopt_contextforge.clients import ClientAdoption
from latchpin_adopt_contextforge.errors import SourceUnreadable
from latchpin_adopt_contextforge.facts import TOKEN_ADOPTED
from latchpin_adopt_contextforge.opened import Opened
from latchpin_adopt_contextforge.report import LeftOut, Report, Row
from latchpin_adopt_contextforge.sealing import Opener, Unopened, is_sealed
from latchpin_adopt_contextforge.source import Source, SourceGateway, SourceToken
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A gateway here, and what its tokens are bound to.

    Attributes:
        issuer: its authorization server's, None without OAuth or where nothing names it.
        client_id: the client that acts there.
    """

    gateway: Gateway
    resource: str | None = None
    issuer: str | None = None
    client_id: str = ""


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
        self._services = application.services
        self._records = application.services.records
        self._source = source
        self._opener = opener
        self._write = write
        self._tell = tell
        self._opened = Opened(opener)
        self._clients = ClientAdoption(application.services, self._opened, write=write)
        self._names = {gateway.id: gateway.name for gateway in source.gateways}

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
            return await self._take_token(token, places.get(token.gateway_id))

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

    # -- gateways -----------------------------------------------------------------------------------------

    async def _take_gateway(self, theirs: SourceGateway) -> tuple[_Place | LeftOut, Sequence[Row]]:
        """Take over the entry, its client and its key; where its tokens go, or why they go nowhere."""
        rows: list[Row] = []
        place: _Place | LeftOut
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

    async def _take_parts(self, theirs: SourceGateway, rows: list[Row]) -> _Place:
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
                out = LeftOut("the gateway was changed here since", "Its users authorize it here.")
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
            raise LeftOut(f"it does not hold here: {exc.detail}", exc.remedy or "Enter it by hand.") from exc

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
        return [f"another gateway has this URL here: {others[0]}"] if others else []

    async def _bind(
        self,
        theirs: SourceGateway,
        ours: Translated,
        gateway: Gateway,
        found: FoundServer | LeftOut | None,
        rows: list[Row],
    ) -> _Place:
        """What its tokens are bound to, its client or key taken over.

        Raises:
            LeftOut: they would go elsewhere than where they were given for, or could not be renewed.
        """
        if ours.key is not None and not isinstance(found, LeftOut):
            rows.append(await self._take_key(theirs, gateway, ours.key))
        if isinstance(found, LeftOut):
            raise found
        if found is None or gateway.oauth is None or not needs_browser(gateway):
            raise LeftOut("its gateway has no tokens of people", "Nothing to do.")
        _check_server(theirs, ours, found)
        issuer = found.metadata.issuer
        if ours.client is not None:
            row, client_id = await self._clients.take(theirs, ours.client, gateway, found)
            rows.append(row)
        else:
            client_id = gateway.oauth.client_id
        if client_id is None or client_id != ours.client_id:
            raise LeftOut(
                "another client acts for the gateway here than the one that it was issued to",
                "Its user authorizes anew.",
            )
        return _Place(gateway, resource_of(theirs), issuer, client_id)

    # -- tokens and keys ----------------------------------------------------------------------------------

    async def _take_key(self, theirs: SourceGateway, gateway: Gateway, key: str) -> Row:
        if gateway.connection != "shared" or gateway.api_key is None:
            return Row("key", theirs.name, "left out", "", "the gateway was changed here since", "Enter the key here.")
        if await self._records.tokens.get(gateway.id, COMPANY) is not None:
            return Row("key", theirs.name, "there")
        grant = TokenGrant(key, API_KEY, self._services.clock() + LONGEST_LIFETIME)
        now = self._services.clock()
        token = self._build(_Place(gateway, gateway.url), grant, COMPANY, (), now)
        await self._keep(replace(token, connected_by=OPERATOR.email))
        return Row("key", theirs.name, "new")

    async def _take_token(self, theirs: SourceToken, place: _Place | LeftOut | None) -> Row:
        name = self._names.get(theirs.gateway_id, theirs.gateway_id)
        out = place or LeftOut("its gateway is gone there", "Nothing to do.")
        if isinstance(out, _Place):
            try:
                return await self._take_bound(theirs, out, name)
            except LeftOut as exc:
                out = exc
        return Row("token", name, "left out", theirs.email, out.why, out.remedy)

    async def _take_bound(self, theirs: SourceToken, place: _Place, name: str) -> Row:
        email = self._owner(theirs, place.gateway)
        if theirs.issuer is not None and place.issuer is not None and not same_issuer(theirs.issuer, place.issuer):
            raise LeftOut(f"{theirs.issuer[:200]} issued it, and the gateway's server is {place.issuer}", _ANEW)
        if await self._records.tokens.get(place.gateway.id, email) is not None:
            return Row("token", name, "there", email)
        if await self._application.people.is_out(email):
            raise LeftOut(
                "its owner is out here", f"If they are to come back: latchpin people restore {email}, and run it again."
            )
        now = self._services.clock()
        if theirs.expires_at is not None and theirs.expires_at <= now and theirs.refresh_token is None:
            raise LeftOut("it has expired and there is no refresh token", _ANEW)
        access = await self._opened.open(theirs.access_token, "access token")
        refresh = (
            None if theirs.refresh_token is None else await self._opened.open(theirs.refresh_token, "refresh token")
        )
        if not (_is_token(access) and (refresh is None or _is_token(refresh))):
            raise LeftOut("it holds what no token can hold", _ANEW)
        grant = TokenGrant(
            access,
            "Bearer",
            theirs.expires_at or now + LONGEST_LIFETIME,
            refresh_token=refresh,
            subject=theirs.user_id or None,
        )
        issued = min(theirs.updated_at or now, now)
        await self._keep(self._build(place, grant, email, theirs.scopes, issued))
        return Row("token", name, "new", email)

    def _owner(self, theirs: SourceToken, gateway: Gateway) -> str:
        """Whose it is here.

        Raises:
            LeftOut: nobody's who may use it.
        """
        try:
            email = parse_email(theirs.email)
        except InvalidRequest as exc:
            raise LeftOut(f"nobody can have it: {exc.detail}", _ANEW) from exc
        if email in self._source.ended:
            raise LeftOut("its owner was deactivated there", "Nothing to do.")
        if not may_use(gateway, Caller(email, via="local")):
            raise LeftOut(
                "its owner may not use the gateway", "Allow them there, if they are meant to use it, and run it again."
            )
        return email

    def _build(
        self, place: _Place, grant: TokenGrant, owner: str, scopes: tuple[str, ...], issued: datetime
    ) -> StoredToken:
        return build_token(
            self._services.cipher,
            grant,
            gateway_id=place.gateway.id,
            app_user_email=owner,
            issuer=place.issuer,
            resource=place.resource,
            client_id=place.client_id,
            scopes=scopes,
            earlier=None,
            now=issued,
        )

    async def _keep(self, token: StoredToken) -> None:
        if not self._write:
            return
        try:
            await self._records.tokens.put(token, replacing=None)
        except RecordConflict as exc:
            raise LeftOut(
                "its gateway was removed, or its owner has authorized, since this began", "Run it again to see which."
            ) from exc
        await self._services.activity.tell(
            TOKEN_ADOPTED,
            actor=OPERATOR.email,
            gateway_id=token.gateway_id,
            subject=token.app_user_email,
            source="ContextForge",
        )


_ANEW = "Its owner authorizes anew."


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
            raise LeftOut(f"its tokens come from {token_url[:200]}, and the gateway has another server here", _ANEW)
    elif issuer and not same_issuer(issuer, found.metadata.issuer):
        raise LeftOut(f"its tokens come from {issuer[:200]}, and the gateway has another server here", _ANEW)


def _is_token(text: str) -> bool:
    """Whether a header field or form can carry it as a token (RFC 6749 appendix A.12)."""
    return bool(text) and all(" " < character <= "~" for character in text)
