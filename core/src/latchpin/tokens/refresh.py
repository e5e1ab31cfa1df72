"""Refreshing, once across all workers however many callers ask (RFC 6749 section 6, RFC 9700 section 4.14).

Within a process, callers of one token share one task. Between processes, a lease in the record store has an
owner and an expiry, and every write is fenced by the token's revision: a worker that froze cannot overwrite a
newer token. "Refresh begun" is written before the POST; a worker that dies leaves that mark, and the next
owner tries the old refresh token once.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from latchpin.clients.directory import ClientDirectory
from latchpin.errors import IdentityAssertionRequired, LatchpinError, UpstreamError, UpstreamTimeout
from latchpin.model import Caller, Gateway, StoredToken
from latchpin.oauth.lifetime import is_expired
from latchpin.servers.directory import ServerDirectory
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.client_grant import ClientGrant, PinIssuer, needs_browser
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.renewal import Renewal, Wanted
from latchpin.tokens.revocation import Revoker
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["LEASE_MARGIN", "Refresher"]

_log = logging.getLogger("latchpin.refresh")

LEASE_MARGIN = timedelta(seconds=15)
"""What a lease lives longer than the one token request that is made under it. Leases are judged by each worker's
clock, so the clocks of different machines may differ by this much."""

TRY_AGAIN = timedelta(seconds=10)
"""After a refresh was begun and not decided, a token that still holds is given out for so long without another try."""


class Refresher:
    """Gives current tokens, renewing those that are about to expire.

    Args:
        services: the gateway's services.
        servers: knows each gateway's authorization server.
        clients: knows the client that acts there.
        endpoint: asks the token endpoint.
        revoker: revokes what comes too late to be kept.
        pin: remembers the issuer found on first use.
        leases: make one worker renew a token while the others wait.
    """

    def __init__(
        self,
        services: Services,
        servers: ServerDirectory,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        revoker: Revoker,
        *,
        pin: PinIssuer,
    ) -> None:
        self._clock = services.clock
        self._tokens = services.records.tokens
        self._servers = servers
        own = ClientGrant(services, clients, endpoint, revoker, pin)
        self._renewal = Renewal(services, clients, endpoint, revoker, own)
        self._leases = services.leases
        self._pauses = services.pauses
        self._life = timedelta(seconds=services.settings.oauth_request_timeout) + LEASE_MARGIN
        self._running: SharedTasks[tuple[str, str, int], StoredToken] = SharedTasks()

    async def current(
        self, gateway: Gateway, email: str, stored: StoredToken | None, caller: Caller | None = None
    ) -> StoredToken:
        """A token that is good for a while, from ``stored`` if it still is.

        ``caller`` is who asks: where an identity provider vouches for people, a token is asked for with their proof.

        Raises:
            AuthorizationRequired: there is none and no way to one without the user.
            IdentityAssertionRequired: the same, where the user's identity provider has to vouch for them.
            UpstreamError: it has expired, and the server gave no answer that decides.
            BackendUnavailable: the store cannot be asked.
        """
        wanted = Wanted(gateway, email, caller=caller)
        if stored is not None and self._renewal.serves(stored, wanted):
            return stored
        return await self._shared(wanted)

    async def renew(
        self, gateway: Gateway, email: str, refused: StoredToken, caller: Caller | None = None
    ) -> StoredToken:
        """A newer token than ``refused``, which the MCP server did not accept; raises as ``current`` does.

        Raises:
            AccessRefused: the gateway's own token was renewed for the same reason a moment ago.
        """
        return await self._shared(Wanted(gateway, email, than=refused, because="refused", caller=caller))

    async def refresh_ahead(self, gateway: Gateway, due: StoredToken) -> StoredToken:
        """A newer token than ``due``, ahead of time; ``due`` if another worker is at it. Raises as ``current`` does."""
        return await self._shared(Wanted(gateway, due.app_user_email, than=due, because="due"))

    async def close(self) -> None:
        """Let what is under way end: a token that the server has rotated must be kept."""
        await self._running.close()

    async def _shared(self, wanted: Wanted) -> StoredToken:
        """Those who want the same share one task; who cannot take an older token does not share with those who can."""
        than = 0 if wanted.than is None else wanted.than.revision
        return await self._running.run((wanted.gateway.id, wanted.email, than), lambda: self._renew(wanted))

    async def _renew(self, wanted: Wanted) -> StoredToken:
        stored = await self._tokens.get(wanted.gateway.id, wanted.email)
        if stored is not None and (self._renewal.serves(stored, wanted) or self._serves_meanwhile(stored, wanted)):
            return stored
        alone = needs_browser(wanted.gateway) and self._renewal.renewable(wanted, stored) is None
        if alone and stored is not None:
            return stored
        try:
            await self._pauses.check("token", wanted.gateway.id)
            found = await self._servers.find(wanted.gateway)  # before the lease: it may take as long as a lease lives
            return await self._renew_alone(wanted, found)
        except (UpstreamError, IdentityAssertionRequired) as exc:
            return self._still_good(stored, wanted, exc)

    async def _renew_alone(self, wanted: Wanted, found: FoundServer) -> StoredToken:
        """Renew under the lease, unless somebody else has."""

        async def renewed_meanwhile() -> StoredToken | None:
            newer = await self._tokens.get(wanted.gateway.id, wanted.email)
            return newer if newer is not None and self._renewal.serves(newer, wanted) else None

        try:
            async with self._leases.hold(
                "refresh",
                (wanted.gateway.id, wanted.email),
                life=self._life,
                wait=timedelta(0) if wanted.because == "due" else self._life,
                meanwhile=renewed_meanwhile,
            ) as made:
                return made or await renewed_meanwhile() or await self._ask(wanted, found)
        except TimeoutError as exc:
            if wanted.because == "due" and wanted.than is not None:
                return wanted.than
            raise UpstreamTimeout(str(exc)) from exc

    async def _ask(self, wanted: Wanted, found: FoundServer) -> StoredToken:
        """Under the lease, so that those who waited for it see what was noted."""
        await self._pauses.check("token", wanted.gateway.id)
        try:
            return await self._renewal.run(wanted, found)
        except UpstreamError as exc:
            await self._pauses.note("token", wanted.gateway.id, exc)
            raise

    def _serves_meanwhile(self, stored: StoredToken, wanted: Wanted) -> bool:
        """Whether a token that is about to expire will do, because a refresh is under way or failed a moment ago."""
        begun, now = stored.refresh_begun_at, self._clock()
        lately = begun is not None and now < begun + TRY_AGAIN
        return lately and wanted.than is None and not stored.needs_reauth and not is_expired(stored, now)

    def _still_good(self, stored: StoredToken | None, wanted: Wanted, exc: LatchpinError) -> StoredToken:
        """No decision came: everything is kept, and the old token serves while it lasts."""
        if stored is None or wanted.than is not None or is_expired(stored, self._clock()):
            raise exc
        _log.warning(
            "Renewing the token for gateway %s, user %s failed, and the old one still serves: %s",
            stored.gateway_id,
            stored.app_user_email,
            exc.detail or exc.public,
        )
        return stored
