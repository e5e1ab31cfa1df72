"""Takes over users' tokens and gateways' keys, each once its gateway is here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from latchpin.errors import InvalidRequest, RecordConflict
from latchpin.model import COMPANY, Caller, Gateway, StoredToken, TokenGrant
from latchpin.sdk.commands import OPERATOR
from latchpin.sdk.gateway import API_KEY, Application, build_token, may_use
from latchpin.sdk.identity import is_out, parse_email
from latchpin.sdk.oauth import LONGEST_LIFETIME

from latchpin_adopt_contextforge.facts import TOKEN_ADOPTED
from latchpin_adopt_contextforge.opened import Opened
from latchpin_adopt_contextforge.report import LeftOut, Row
from latchpin_adopt_contextforge.source import Source, SourceGateway, SourceToken
from latchpin_adopt_contextforge.translation import same_issuer

__all__ = ["ANEW", "Place", "TokenAdoption"]

ANEW = "Its owner authorizes again."
"""What helps where a token is left out for good."""


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway here, and what its tokens are bound to.

    Attributes:
        issuer: its authorization server's, None without OAuth or where nothing names it.
        client_id: the client that acts there.
    """

    gateway: Gateway
    resource: str | None = None
    issuer: str | None = None
    client_id: str = ""


class TokenAdoption:
    """Takes over tokens and keys, or says which it would take over.

    Args:
        application: the gateway that they go to.
        source: what there is.
        opened: opens what is sealed in it.
        write: without it, nothing is written.
    """

    def __init__(self, application: Application, source: Source, opened: Opened, *, write: bool) -> None:
        self._application = application
        self._services = application.services
        self._records = application.services.records
        self._source = source
        self._opened = opened
        self._write = write
        self._names = {gateway.id: gateway.name for gateway in source.gateways}

    async def take_key(self, theirs: SourceGateway, gateway: Gateway, key: str) -> Row:
        """Take over the key that all its users send.

        Raises:
            LeftOut: the gateway was removed meanwhile, or has a key.
        """
        if gateway.connection != "shared" or gateway.api_key is None:
            return Row(
                "key", theirs.name, "left out", "", "the gateway here takes no shared key", "Enter the key here."
            )
        if await self._records.tokens.get(gateway.id, COMPANY) is not None:
            return Row("key", theirs.name, "there")
        now = self._services.clock()
        grant = TokenGrant(key, API_KEY, now + LONGEST_LIFETIME)
        token = self._build(Place(gateway, gateway.url), grant, COMPANY, (), now)
        await self._keep(replace(token, connected_by=OPERATOR.email))
        return Row("key", theirs.name, "new")

    async def take(self, theirs: SourceToken, place: Place | LeftOut | None) -> Row:
        """Take over a token at its ``place``; LeftOut: why its gateway takes none; None: it has no gateway."""
        name = self._names.get(theirs.gateway_id, theirs.gateway_id)
        out = place or LeftOut("ContextForge has no such gateway any more", "Nothing to do.")
        if isinstance(out, Place):
            try:
                return await self._take_bound(theirs, out, name)
            except LeftOut as exc:
                out = exc
        return Row("token", name, "left out", theirs.email, out.why, out.remedy)

    async def _take_bound(self, theirs: SourceToken, place: Place, name: str) -> Row:
        email = self._owner(theirs, place.gateway)
        if theirs.issuer is not None and place.issuer is not None and not same_issuer(theirs.issuer, place.issuer):
            raise LeftOut(f"{theirs.issuer[:200]} issued it, and the gateway's server is {place.issuer}", ANEW)
        there = await self._records.tokens.get(place.gateway.id, email)
        if there is not None:
            return Row("token", name, "there", email, *_renewed(theirs, there))
        if await is_out(self._services.kept, email):
            raise LeftOut(
                "its owner is out here", f"If they are to come back: latchpin people restore {email}, and run it again."
            )
        now = self._services.clock()
        if theirs.expires_at is not None and theirs.expires_at <= now and theirs.refresh_token is None:
            raise LeftOut("it has expired and there is no refresh token", ANEW)
        access = await self._opened.open(theirs.access_token, "access token")
        refresh = await self._opened.open_any(theirs.refresh_token, "refresh token")
        if not (_is_token(access) and (refresh is None or _is_token(refresh))):
            raise LeftOut("it has characters that no token can have", ANEW)
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
            raise LeftOut(f"its owner has no address that Latchpin takes: {exc.detail}", ANEW) from exc
        if email in self._source.ended:
            raise LeftOut("its owner was deactivated there", "Nothing to do.")
        if not may_use(gateway, Caller(email, via="local")):
            raise LeftOut(
                "its owner may not use the gateway", "Allow them there, if they are meant to use it, and run it again."
            )
        return email

    def _build(
        self, place: Place, grant: TokenGrant, owner: str, scopes: tuple[str, ...], issued: datetime
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
                "its gateway was removed or its owner authorized while this ran", "Run it again to see which."
            ) from exc
        await self._services.activity.tell(
            TOKEN_ADOPTED,
            actor=OPERATOR.email,
            gateway_id=token.gateway_id,
            subject=token.app_user_email,
            source="ContextForge",
        )


def _renewed(theirs: SourceToken, there: StoredToken) -> tuple[str, str]:
    """What there is to say of a token that both have: ContextForge must not use it any more."""
    if theirs.updated_at is None or theirs.updated_at <= there.updated_at:
        return "", ""
    why = "ContextForge has renewed its own token later than Latchpin"
    return why, "Stop ContextForge. If the server refuses the next renewal here, the owner authorizes again."


def _is_token(text: str) -> bool:
    """Whether a header field or form can carry it as a token (RFC 6749 appendix A.12)."""
    return bool(text) and all(" " < character <= "~" for character in text)
