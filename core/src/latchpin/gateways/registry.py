"""The gateways: who may read and write them, and what follows from a change."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from latchpin.errors import Conflict, Forbidden, NotFound, RecordConflict
from latchpin.gateways.body import GatewayBody, parse_gateway_body
from latchpin.gateways.rules import GatewayChange, GatewayRules, build_gateway, change_gateway, describe_gateway
from latchpin.identity.allowance import may_use
from latchpin.model import Caller, Gateway
from latchpin.services import Services
from latchpin.workers.recent import Recent

__all__ = ["GatewayBody", "GatewayRegistry", "check_known", "describe_gateway", "parse_gateway_body"]

_log = logging.getLogger("latchpin.gateways")

_MOST_RECENT = 10_000
_ATTEMPTS = 5
_LOCAL = Caller(email="(local)", is_admin=True, via="local")


def _new_id() -> str:
    return secrets.token_hex(16)


class GatewayRegistry:
    """Creates, changes, removes and finds gateways.

    Args:
        services: records, cipher, clock, settings and the installed authentication methods are used.
        new_id: makes 32 hexadecimal digits.
    """

    def __init__(self, services: Services, *, new_id: Callable[[], str] = _new_id) -> None:
        self._records = services.records
        self._tools = services.tools
        self._activity = services.activity
        self._cipher = services.cipher
        self._clock = services.clock
        self._rules = GatewayRules(
            services.settings.base_url,
            tuple(services.authentications),
            tuple(each.name for each in services.providers),
            services.grants,
            services.auth_schemes,
        )
        self._pauses = services.pauses
        self._new_id = new_id
        self._recent: Recent[str, Gateway] = Recent(services.clock, _MOST_RECENT)
        services.writes.listen(self._forget)

    # -- reading ------------------------------------------------------------------------------------------

    async def get(self, gateway_id: str, caller: Caller) -> Gateway:
        """Look, for a caller.

        Raises:
            NotFound: there is none, or none that this caller may know of: both read alike.
        """
        return check_known(await self._records.gateways.get(gateway_id), gateway_id, caller)

    async def get_any(self, gateway_id: str) -> Gateway:
        """Look, for what is done on nobody's behalf or on behalf of somebody who was checked before.

        Raises:
            NotFound: there is none.
        """
        return await self.get(gateway_id, _LOCAL)

    async def get_recent(self, gateway_id: str, caller: Caller | None = None) -> Gateway:
        """Look, in what was read at most a second ago (``Recent``), for a caller; None: as for ``get_any``.

        What this process writes is seen at once, and who is refused was refused by what the store has now.

        Raises:
            NotFound: as ``get`` does.
        """
        caller = caller or _LOCAL
        gateway = self.recall(gateway_id, caller)
        if gateway is not None:
            return gateway
        return await self._recent.read(gateway_id, partial(self.get, gateway_id, caller))

    def recall(self, gateway_id: str, caller: Caller | None = None) -> Gateway | None:
        """What ``get_recent`` gives without reading; None: it has to read it."""
        gateway = self._recent.get(gateway_id)
        return gateway if gateway is not None and may_use(gateway, caller or _LOCAL) else None

    async def get_to_change(self, gateway_id: str, caller: Caller) -> Gateway:
        """Look, for a caller who is about to change or remove it.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is none.
        """
        _check_admin(caller)
        return await self.get(gateway_id, caller)

    async def list(self, caller: Caller) -> list[Gateway]:
        """Those that the caller may use, oldest first."""
        return [gateway for gateway in await self._records.gateways.list() if may_use(gateway, caller)]

    # -- writing ------------------------------------------------------------------------------------------

    def draft(self, body: GatewayBody, caller: Caller, *, id: str | None = None) -> Gateway:  # noqa: A002  the row's id
        """Build the gateway that ``create`` would keep.

        ``id``: the one that it has elsewhere, 32 hexadecimal digits; None makes one.

        Raises:
            Forbidden: the caller is no administrator.
            InvalidRequest: the body does not hold.
        """
        _check_admin(caller)
        return build_gateway(body, rules=self._rules, id=id or self._new_id(), now=self._clock(), cipher=self._cipher)

    async def create(self, body: GatewayBody, caller: Caller) -> Gateway:
        """Create a gateway.

        Raises:
            As ``draft``.
        """
        return await self.bring_back(self.draft(body, caller), caller)

    async def bring_back(self, gateway: Gateway, caller: Caller) -> Gateway:
        """Keep a gateway that is not there, as it was before it was removed: its tokens and clients stay away.

        Raises:
            Forbidden: the caller is no administrator.
            Conflict: it is there.
        """
        _check_admin(caller)
        try:
            await self._records.gateways.put(gateway)
        except RecordConflict:
            raise Conflict(f"there is a gateway {gateway.id} already") from None
        await self._activity.tell("gateway.created", actor=caller.email, gateway_id=gateway.id)
        return gateway

    def draft_change(self, gateway: Gateway, body: GatewayBody, caller: Caller) -> GatewayChange:
        """Build what ``change`` would keep in the place of ``gateway``, and say whether tokens would go.

        Raises:
            Forbidden: the caller is no administrator.
            InvalidRequest: the body does not hold, or contradicts what is there.
        """
        _check_admin(caller)
        return change_gateway(gateway, body, rules=self._rules, now=self._clock(), cipher=self._cipher)

    async def change(self, gateway_id: str, body: GatewayBody, caller: Caller) -> Gateway:
        """Change a gateway; see ``change_gateway`` for what is kept and dropped.

        Raises:
            Forbidden, NotFound: as for ``get_to_change``.
            InvalidRequest: the body does not hold, or contradicts what is there.
            Conflict: the body names a revision that is no longer the gateway's, or others keep changing it.
        """
        for _ in range(_ATTEMPTS):
            gateway = await self.get_to_change(gateway_id, caller)
            if body.revision not in (None, gateway.revision):
                raise Conflict(f"the gateway's revision is {gateway.revision} now, not {body.revision}")
            change = self.draft_change(gateway, body, caller)
            try:
                await self._write(change)
            except RecordConflict:
                continue
            await self._pauses.lift(gateway.id)
            await self._record_change(gateway, change, caller)
            return change.gateway
        raise Conflict("the gateway keeps being changed by others")

    async def remove(self, gateway_id: str, caller: Caller) -> Gateway:
        """Remove a gateway with its tokens, clients and tools; return what it was.

        Raises:
            Forbidden, NotFound: as for ``get_to_change``; NotFound also if somebody else was faster.
        """
        gateway = await self.get_to_change(gateway_id, caller)
        if not await self._records.gateways.delete(gateway.id):
            raise NotFound(f"gateway {gateway.id} was removed by somebody else")
        await self._tools.drop(gateway.id)
        await self._activity.tell("gateway.removed", actor=caller.email, gateway_id=gateway.id)
        return gateway

    async def pin_issuer(self, gateway: Gateway, issuer: str | None) -> Gateway:
        """Remember the issuer found on first use; an issuer already pinned stays as it is.

        Returns:
            The gateway as it stands now: pinned here or by somebody else, or changed meanwhile and left alone.

        Raises:
            NotFound: the gateway was removed meanwhile.
        """
        while gateway.oauth is not None and gateway.pinned_issuer is None and issuer is not None:
            pinned = replace(gateway, pinned_issuer=issuer, revision=gateway.revision + 1, updated_at=self._clock())
            try:
                await self._records.gateways.replace(pinned)
            except RecordConflict:
                current = await self.get_any(gateway.id)
                if (current.url, current.oauth) != (gateway.url, gateway.oauth):
                    return current  # changed meanwhile: what was found may not hold for it
                gateway = current
                continue
            _log.info("Gateway %s trusts the issuer %s from now on", gateway.id, issuer)
            return pinned
        return gateway

    def _forget(self, gateway_id: str, owner: str | None, _label: str) -> None:
        """This process wrote something of the gateway; with an ``owner``, that person's token."""
        if owner is None:
            self._recent.forget(gateway_id)

    async def _write(self, change: GatewayChange) -> None:
        """Replace the record; where tokens must go, before it and after it.

        Before: a crash in between must not leave tokens that the new entry would send to a new place. After:
        somebody may have authorized in the meantime.
        """
        gateway = change.gateway
        if change.drops_tokens:
            await self._drop_credentials(gateway.id)
        await self._records.gateways.replace(gateway)
        if change.drops_tokens:
            await self._drop_credentials(gateway.id)
            _log.warning("Gateway %s leads elsewhere now: its users' tokens were dropped", gateway.id)

    async def _record_change(self, before: Gateway, change: GatewayChange, caller: Caller) -> None:
        """Record which parts changed, by their names alone: a value may be a secret or an address."""
        after = change.gateway
        names = ("name", "url", "auth_type", "allowed_users", "oauth", "api_key", "pinned_issuer", "connection")
        parts = [name for name in names if getattr(before, name) != getattr(after, name)]
        facts = {"revision": str(after.revision), "changed": " ".join(parts)}
        if change.drops_tokens:
            facts["tokens"] = "dropped"
        await self._activity.tell("gateway.changed", actor=caller.email, gateway_id=after.id, **facts)

    async def _drop_credentials(self, gateway_id: str) -> None:
        """Forget what was issued for the gateway as it was: tokens, and clients with their secrets."""
        for client in await self._records.clients.list(gateway_id=gateway_id):
            await self._records.clients.delete(client.id)
        await self._records.tokens.delete_all(gateway_id)  # last: it is noted, for whoever remembers a client too


def check_known(gateway: Gateway | None, gateway_id: str, caller: Caller) -> Gateway:
    """The gateway that was read under an id.

    Raises:
        NotFound: there is none, or none that this caller may know of: both read alike.
    """
    if gateway is None or not may_use(gateway, caller):
        whose = "" if caller is _LOCAL else f" for {caller.email}"
        raise NotFound(f"there is no gateway {gateway_id[:64]!a}{whose}")
    return gateway


def _check_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("only administrators may change gateways")
