"""Keys for servers without OAuth: entered by a person, tried at the server, and kept sealed as tokens are.

An ``AuthScheme`` says what may be one, and how it is shown; the rest is the same for all.

Nothing says a key again: not the record, no error, no log, no page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from latchpin.errors import (
    AccessRefused,
    Conflict,
    Forbidden,
    InvalidRequest,
    KeyRefused,
    RecordConflict,
    UpstreamError,
    UpstreamUnreadable,
)
from latchpin.errors.causes.upstream import AT_MCP_SERVER
from latchpin.identity.barred import is_out
from latchpin.model import COMPANY, Caller, Gateway, StoredToken, TokenGrant
from latchpin.oauth.token_fields import LONGEST_LIFETIME
from latchpin.outbound.credential import Credential
from latchpin.outbound.upstream import host_of
from latchpin.services import Services
from latchpin.tokens.accounts import tell_account
from latchpin.tokens.schemes import require_scheme, wants_key
from latchpin.tokens.sealing import API_KEY, build_token
from latchpin.tokens.service import TokenService
from latchpin.tokens.usage import Usage

__all__ = ["ApiKeys", "KeptKey"]

_ATTEMPTS = 5
_UNAUTHORIZED, _FORBIDDEN = 401, 403


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key that works and is kept.

    Attributes:
        gateway: at whose server.
        owner: whose it is.
        tools: how many tools the server offers with it.
        account: the label of the account that it is for.
    """

    gateway: Gateway
    owner: str
    tools: int
    account: str = ""

    @property
    def message(self) -> str:
        """What people are told."""
        offers = "no tools" if not self.tools else f"{self.tools} tool{'' if self.tools == 1 else 's'}"
        return f"{host_of(self.gateway.url)} took the key, and offers {offers} with it."


class ApiKeys:
    """Tries and keeps keys.

    Args:
        services: the gateway's services.
        tokens: says whose a key is.
        usage: notes that a connection is new.
    """

    def __init__(self, services: Services, tokens: TokenService, usage: Usage) -> None:
        self._services = services
        self._tokens = tokens
        self._usage = usage

    async def find(
        self, gateway: Gateway, caller: Caller, owner: str | None = None, *, account: str = ""
    ) -> StoredToken | None:
        """What is kept for ``caller``, or for ``owner``, under that label; None: nothing.

        Raises:
            InvalidRequest, Forbidden: as ``keep`` does.
        """
        return await self._services.records.tokens.get(
            gateway.id, self._check(gateway, caller, owner, account), account
        )

    async def keep(
        self, gateway: Gateway, key: str, caller: Caller, owner: str | None = None, *, account: str = ""
    ) -> KeptKey:
        """Try a key at the gateway's server, and keep it in place of an earlier one.

        Args:
            gateway: which; the caller may use it.
            key: as it was entered.
            caller: who entered it.
            owner: for whom; None: for who uses the gateway through ``caller``.
            account: the label of the account, of several that a person has; its form was checked.

        Raises:
            InvalidRequest: the gateway wants no key, this cannot be one, or it would be one too many.
            Forbidden: it is for somebody else or for all, and the caller is no administrator; or one of them is out.
            KeyRefused: the server does not take it.
            UpstreamError: it cannot be tried: the server is away, or is no MCP server.
            Conflict: the gateway was changed meanwhile.
            PluginError: nothing that is installed offers the gateway's ``auth_type``.
        """
        owner, scheme = self._check(gateway, caller, owner, account), require_scheme(self._services, gateway)
        if (wrong := scheme.explain_key(key)) is not None:
            raise InvalidRequest(wrong)
        if account:
            await self._tokens.check_room(gateway, owner, account)
        tools = await self._try(gateway, Credential(key, scheme=scheme, place=gateway.api_key))
        await self._check_in(caller.email, owner)
        await self._keep(gateway, key, owner, account, caller.email)
        await self._usage.note(gateway.id, owner, account, anew=True)
        await self._services.activity.tell(
            "key.entered", actor=caller.email, gateway_id=gateway.id, subject=owner, **tell_account(account)
        )
        return KeptKey(gateway, owner, tools, account)

    def _check(self, gateway: Gateway, caller: Caller, owner: str | None, account: str) -> str:
        """Whose the key is."""
        if not wants_key(gateway):
            raise InvalidRequest(
                f"gateway '{gateway.name}' wants no API key", remedy="There is nothing to enter; authorize it instead."
            )
        whose, _ = self._tokens.account_of(gateway, replace(caller, account=account))
        if owner is not None and gateway.connection == "shared" and owner != whose:
            raise InvalidRequest("this gateway has one key for all whom it allows, and none of a single person's")
        owner = whose if owner is None else owner
        if owner != caller.email and not caller.is_admin:
            raise Forbidden("only administrators may enter a key for somebody else, or for all whom a gateway allows")
        return owner

    async def _try(self, gateway: Gateway, credential: Credential) -> int:
        """List the server's tools with it, as the SDK's client does; return how many there are."""
        from latchpin.gateways.tools.sdk import list_tools  # noqa: PLC0415  the mcp SDK costs 23 MB: only where it is used

        try:
            listing = await list_tools(self._services.upstream, gateway.url, credential)
        except UpstreamError as exc:
            if (status := _refused_with(exc)) is not None:
                raise KeyRefused(f"{host_of(gateway.url)} did not take it: it answered HTTP {status}") from None
            exc.narrow(AT_MCP_SERVER)
            raise
        return len(listing.tools)

    async def _keep(self, gateway: Gateway, key: str, owner: str, account: str, by: str) -> None:
        tokens = self._services.records.tokens
        for _ in range(_ATTEMPTS):
            earlier = await tokens.get(gateway.id, owner, account)
            sealed = replace(
                self._seal(gateway, key, owner, account, earlier), connected_by=by if owner == COMPANY else None
            )
            try:
                await tokens.put(sealed, replacing=earlier)
            except RecordConflict:
                continue
            return await self._check_unchanged(gateway, owner, account)
        raise Conflict("the gateway was removed, or its key was being changed by others, while this one was tried")

    def _seal(self, gateway: Gateway, key: str, owner: str, account: str, earlier: StoredToken | None) -> StoredToken:
        now = self._services.clock()
        return build_token(
            self._services.cipher,
            TokenGrant(key, API_KEY, now + LONGEST_LIFETIME),
            gateway_id=gateway.id,
            app_user_email=owner,
            issuer=None,
            resource=gateway.url,
            client_id="",
            scopes=(),
            earlier=earlier,
            now=now,
            label=account,
        )

    async def _check_in(self, *people: str) -> None:
        """Refuse who was ended while their key was tried: a server may take its time for that."""
        for email in people:
            if await is_out(self._services.kept, email):
                raise Forbidden("access to this gateway was ended", remedy="Ask an administrator of this gateway.")

    async def _check_unchanged(self, gateway: Gateway, owner: str, account: str) -> None:
        """A change drops every key, but one just written may have come after it."""
        current = await self._services.records.gateways.get(gateway.id)
        if current is None or _place_of(current) != _place_of(gateway):
            await self._services.records.tokens.delete(gateway.id, owner, account)
            raise Conflict("the gateway was changed while the key was tried", remedy="Enter the key again.")


def _place_of(gateway: Gateway) -> tuple[object, ...]:
    """Where a key goes, and for whom: one that was entered for one place is kept for no other."""
    return gateway.url, gateway.auth_type, gateway.api_key, gateway.connection


def _refused_with(error: UpstreamError) -> int | None:
    """The status by which a server said that it does not take the key; None: it failed in another way."""
    if isinstance(error, AccessRefused):
        return _UNAUTHORIZED if error.error == "invalid_token" else _FORBIDDEN
    return _FORBIDDEN if isinstance(error, UpstreamUnreadable) and error.http_status == _FORBIDDEN else None
