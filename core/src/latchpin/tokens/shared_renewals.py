"""A token is renewed once across all workers however many callers ask (RFC 6749 section 6, RFC 9700 section 4.14).

Within a process, callers of one token share one task. Between processes, a lease in the record store has an owner and
an expiry, and every write is fenced by the token's revision: a worker that froze cannot overwrite a newer token.
"Refresh begun" is written before the POST; a worker that dies leaves that mark, and the next owner tries the old
refresh token once.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from latchpin.errors import IdentityAssertionRequired, LatchpinError, UpstreamError, UpstreamTimeout
from latchpin.model import StoredToken
from latchpin.oauth.lifetime import is_expired
from latchpin.servers.directory import ServerDirectory
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.settings.core import CoreSettings
from latchpin.tokens.client_grant import needs_browser
from latchpin.tokens.renewal import Renewal, Wanted
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["LEASE_MARGIN", "SharedRenewals", "life_of_lease"]

_log = logging.getLogger("latchpin.refresh")

LEASE_MARGIN = timedelta(seconds=15)
"""What a lease lives longer than the one token request that is made under it. Leases are judged by each worker's
clock, so the clocks of different machines may differ by this much."""

TRY_AGAIN = timedelta(seconds=10)
"""After a refresh was begun and not decided, a token that still holds is given out for so long without another try."""


def life_of_lease(settings: CoreSettings) -> timedelta:
    """How long a lease lives under which one token request is made."""
    return timedelta(seconds=settings.oauth_request_timeout) + LEASE_MARGIN


class SharedRenewals:
    """Sees to it that those who want a newer token share one renewal.

    Args:
        services: the gateway's services.
        servers: knows each gateway's authorization server.
        renewal: renews a token under the lease.
    """

    def __init__(self, services: Services, servers: ServerDirectory, renewal: Renewal) -> None:
        self._services = services
        self._tokens = services.records.tokens
        self._servers = servers
        self._renewal = renewal
        self._renewing: SharedTasks[tuple[str, str, str | None, int], StoredToken] = SharedTasks()

    async def newer(self, wanted: Wanted) -> StoredToken:
        """The token that is wanted, as another worker has renewed it meanwhile or this one does.

        Those who want the same share one task; who cannot take an older token does not share with those who can.

        Raises:
            AuthorizationRequired: it cannot be renewed.
            IdentityAssertionRequired: the same, where the user's identity provider has to vouch for them.
            AccessRefused: as ``Renewal.run`` does.
            UpstreamError: the old one has expired, and the server gave no answer that decides.
            BackendUnavailable: the store cannot be asked.
        """
        than = 0 if wanted.than is None else wanted.than.revision
        return await self._renewing.run(
            (wanted.gateway.id, wanted.email, wanted.label, than), lambda: self._renew(wanted)
        )

    async def close(self) -> None:
        """Let renewals that are under way end, before the stores are closed: what a server has rotated must be kept."""
        await self._renewing.close()

    async def _renew(self, wanted: Wanted) -> StoredToken:
        stored = await self._tokens.get(wanted.gateway.id, wanted.email, wanted.label)
        if stored is not None and (self._renewal.serves(stored, wanted) or self._serves_meanwhile(stored, wanted)):
            return stored
        alone = needs_browser(wanted.gateway) and self._renewal.renewable(wanted, stored) is None
        if alone and stored is not None:
            return stored
        try:
            await self._services.pauses.check("token", wanted.gateway.id)
            found = await self._servers.find(wanted.gateway)  # before the lease: it may take as long as a lease lives
            return await self._renew_alone(wanted, found)
        except (UpstreamError, IdentityAssertionRequired) as exc:
            return self._still_good(stored, wanted, exc)

    async def _renew_alone(self, wanted: Wanted, found: FoundServer) -> StoredToken:
        """Renew under the lease, unless somebody else has."""

        async def renewed_meanwhile() -> StoredToken | None:
            newer = await self._tokens.get(wanted.gateway.id, wanted.email, wanted.label)
            return newer if newer is not None and self._renewal.serves(newer, wanted) else None

        life = life_of_lease(self._services.settings)
        try:
            async with self._services.leases.hold(
                "refresh",
                wanted.place,
                life=life,
                wait=timedelta(0) if wanted.because == "due" else life,
                meanwhile=renewed_meanwhile,
            ) as made:
                if made is not None:
                    return made
                # Under the lease, so that those who waited for it see what was noted.
                async with self._services.pauses.respected("token", wanted.gateway.id):
                    return await self._renewal.run(wanted, found)
        except TimeoutError as exc:
            if wanted.because == "due" and wanted.than is not None:
                return wanted.than
            raise UpstreamTimeout(str(exc)) from exc

    def _serves_meanwhile(self, stored: StoredToken, wanted: Wanted) -> bool:
        """Whether a token that is about to expire will do, because a refresh is under way or failed a moment ago."""
        begun, now = stored.refresh_begun_at, self._services.clock()
        lately = begun is not None and now < begun + TRY_AGAIN
        return lately and wanted.than is None and not stored.needs_reauth and not is_expired(stored, now)

    def _still_good(self, stored: StoredToken | None, wanted: Wanted, exc: LatchpinError) -> StoredToken:
        """No decision came: everything is kept, and the old token serves while it lasts."""
        if stored is None or wanted.than is not None or is_expired(stored, self._services.clock()):
            raise exc
        _log.warning(
            "Renewing the token for gateway %s, user %s failed, and the old one still serves: %s",
            stored.gateway_id,
            stored.app_user_email,
            exc.detail or exc.public,
        )
        return stored
