"""What the endpoints stand on: all that the authorization server keeps and knows, opened once for each process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta

from latchpin.contracts import Context
from latchpin.errors import InvalidRequest, NotSignedIn, RecordConflict
from latchpin.model import CLIENT_ITSELF
from latchpin.sdk.activity import OwnFact
from latchpin.sdk.identity import SessionRevocations, end_proof, ended_at, forget_ended_proof
from latchpin.sdk.settings import CoreSettings, load
from latchpin.sdk.workers import Bounded

from latchpin_authorization_server.clients.assertions import ClientAssertions
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.directory import ClientDirectory
from latchpin_authorization_server.clients.documents import DOCUMENTS, ClientDocuments
from latchpin_authorization_server.clients.records import CLIENTS, ClientRecords
from latchpin_authorization_server.devices.guesses import GUESSES, Guesses
from latchpin_authorization_server.devices.records import DEVICES, Devices
from latchpin_authorization_server.facts import CLIENT_DELETED, GRANT_ALLOWED, GRANT_ENDED, GRANT_MISUSED
from latchpin_authorization_server.grants.consents import CONSENTS, Consents
from latchpin_authorization_server.grants.grant import Grant
from latchpin_authorization_server.grants.records import GRANTS, GrantRecords
from latchpin_authorization_server.grants.requests import REQUESTS, PendingRequests
from latchpin_authorization_server.identity import Standing, name_grant, name_service
from latchpin_authorization_server.issuers import CompanyTokens, Issuers
from latchpin_authorization_server.settings import AuthorizationServerSettings
from latchpin_authorization_server.single_use import use_up
from latchpin_authorization_server.tokens.access_tokens import AccessTokens
from latchpin_authorization_server.tokens.signing_keys import SigningKeys

__all__ = ["MOST_GRANTS", "AuthorizationServer", "open_server"]

_SIGNED_OUT = timedelta(seconds=10)
"""After the end of a person's sessions nothing new is given out for so long: until every worker surely knows of it."""
MOST_GRANTS = 200
"""What one person's clients are allowed at once: an account with a program of its own fills no store."""
_MOST_SEEN = 4096
_A_DAY = timedelta(days=1)


class AuthorizationServer:
    """All its parts, each in one attribute.

    Args:
        settings: the plugin's.
        context: the gateway's clock, stores and keys.
        private: OAUTH_ALLOW_PRIVATE_NETWORKS.
        company: the tokens that a company's own issuer gives its people; None where it gives none.
    """

    def __init__(
        self,
        settings: AuthorizationServerSettings,
        context: Context,
        *,
        private: bool = False,
        company: CompanyTokens | None = None,
    ) -> None:
        self.settings = settings
        self.clock = context.clock
        self.activity = context.activity
        self.endings = context.endings
        self._kept = context.kept
        self.issuer = context.base_url
        self.client_records = ClientRecords(context.collection(CLIENTS))
        self.grants = GrantRecords(context.collection(GRANTS))
        self.documents = ClientDocuments(
            context.collection(DOCUMENTS),
            context.upstream,
            context.clock,
            settings,
            private=private,
            is_allowed=self.grants.has_any,
        )
        assertions = ClientAssertions(context.base_url, context.upstream, context.kept, context.clock)
        self.clients = ClientDirectory(self.client_records, self.documents, assertions)
        self.standing = Standing(self.grants.stands, context.clock, context.endings)
        self.standing_clients = Standing(self._is_client_of, context.clock, context.endings)
        self.revocations = SessionRevocations(context.kept, context.clock, context.endings)
        self.consents = Consents(context.collection(CONSENTS), context.clock, self.revocations)
        self.requests = PendingRequests(context.collection(REQUESTS), context.clock)
        self.devices = Devices(context.collection(DEVICES), context.clock)
        self.guesses = Guesses(context.collection(GUESSES), context.clock)
        self.keys = SigningKeys(context)
        self.access_tokens = AccessTokens(
            self.keys, issuer=context.base_url, clock=context.clock, lifetime=settings.access_token_lifetime
        )
        self.id_jag_issuers = Issuers(settings.id_jag_issuers, context, name="ID_JAG_ISSUERS")
        self.company = company
        self._kept_on: Bounded[str, date] = Bounded(_MOST_SEEN)

    def check_on(self) -> None:
        """Refuse to make what nothing takes.

        Raises:
            InvalidRequest: the authorization server is switched off.
        """
        if not self.settings.authorization_server_enabled:
            raise InvalidRequest(
                "this gateway gives out no tokens to MCP clients",
                remedy="AUTHORIZATION_SERVER_ENABLED=true switches that on.",
            )

    async def allow(self, grant: Grant) -> None:
        """Keep a new grant, and tell that there is one. Beyond ``MOST_GRANTS`` of a person the oldest end.

        Raises:
            NotSignedIn: the person was signed out a moment ago.
            BackendUnavailable: the store cannot be asked.
        """
        await self.check_not_signed_out(grant.email)
        await self.grants.put(grant)
        await self._tell(GRANT_ALLOWED, grant, grant.email)
        for oldest in await self.grants.beyond(grant.email, MOST_GRANTS):
            await self.end(oldest)

    async def use_up(self, kind: str, *named: str, until: datetime) -> bool:
        """Whether nobody used it before, at any worker; see ``single_use``."""
        return await use_up(self._kept, kind, *named, until=until)

    async def check_not_signed_out(self, email: str) -> None:
        """Refuse what would outlast the end of a person's sessions: other workers may still take one of those.

        Raises:
            NotSignedIn: an administrator ended them within ``_SIGNED_OUT``.
            BackendUnavailable: the store cannot be asked.
        """
        end = await ended_at(self._kept, email)
        if end is not None and self.clock() < end + _SIGNED_OUT:
            raise NotSignedIn("an administrator signed this person out a moment ago", remedy="Sign in again.")

    async def end(
        self, grant: Grant, *, actor: str = CLIENT_ITSELF, fact: OwnFact = GRANT_ENDED, alone: bool = True
    ) -> None:
        """End a grant, and what is under way for it: at once here, within a second at other workers.

        Args:
            grant: which.
            actor: the address of who ends it; the gateway by itself if nobody is named.
            fact: what is told of it.
            alone: False where the person's sessions end too, and what is under way with them.
        """
        if alone:  # first: what breaks off here is done again as long as the grant stands
            await self.end_proof(name_grant(grant.id))
        ended = await self.grants.end(grant.id)
        self.standing.forget(grant.id)
        if ended:
            await self._tell(fact, grant, actor)

    async def end_proof(self, name: str) -> None:
        """End what is under way for who stands on a proof that ends now; see ``Caller.stands_on``."""
        await end_proof(self._kept, name, self.clock())

    async def end_misused(self, grant: Grant) -> None:
        """End a grant whose code or refresh token came twice, or in a way in which its client would not send it."""
        await self.end(grant, fact=GRANT_MISUSED)

    async def _tell(self, fact: OwnFact, grant: Grant, actor: str) -> None:
        await self.activity.tell(
            fact, actor=actor, subject=grant.email, client_id=grant.client_id, resource=grant.resource
        )

    async def used(self, client: Client) -> None:
        """A registered client got a token: it is kept on. Written at most once a day."""
        now = self.clock()
        if client.source != "registered" or self._kept_on.get(client.id) == now.date():
            return
        self._kept_on[client.id] = now.date()
        stored = await self.client_records.get(client.id)
        ends = now + self.settings.registered_client_unused
        if stored is None or stored.expires_at is None or ends - stored.expires_at < _A_DAY:
            return
        with suppress(RecordConflict):  # another worker does it at the same moment
            await self.client_records.put(replace(stored, expires_at=ends))

    async def delete_client(self, client_id: str, *, actor: str = CLIENT_ITSELF) -> bool:
        """Delete a client that is kept here, and end all that it was allowed. False if there was none.

        Its tokens are worth nothing at once here, and within a second at other workers.

        Args:
            client_id: which.
            actor: the address of the administrator who does it; the client by itself if nobody is named.
        """
        await self.end_proof(name_service(client_id))
        if not await self.client_records.delete(client_id):
            return False
        self.standing_clients.clear()
        grants = [grant async for grant in self.grants.of_client(client_id)]
        for grant in grants:
            await self.end(grant, actor=actor)
        await self.activity.tell(CLIENT_DELETED, actor=actor, client_id=client_id, grants=len(grants))
        return True

    async def forget_deleted(self, client_id: str) -> None:
        """Serve a client that is kept now under the ``client_id`` of one that was deleted, as files may do."""
        await forget_ended_proof(self._kept, name_service(client_id))

    async def find_service(self, client_id: str) -> Client | None:
        """The service of that client_id; None if there is none, or what its person had was ended since it was entered.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        stored = await self.client_records.get(client_id)
        if stored is None or not stored.client.acts_as:
            return None
        end = await ended_at(self._kept, stored.client.acts_as)
        return stored.client if end is None or stored.created_at > end else None

    async def _is_client_of(self, client_id_and_email: str) -> bool:
        """Whether a client is known, and may still act as that person by itself if it is a service."""
        client_id, _, email = client_id_and_email.partition("\n")
        client = await self.clients.find(client_id)
        if client is None or not client.acts_as:
            return client is not None
        return client.acts_as == email and await self.find_service(client_id) is not None


async def open_server(context: Context) -> AuthorizationServer:
    """The process's authorization server."""

    @asynccontextmanager
    async def opener() -> AsyncIterator[AuthorizationServer]:
        core = load(CoreSettings)
        server = AuthorizationServer(
            load(AuthorizationServerSettings),
            context,
            private=core.oauth_allow_private_networks,
            company=CompanyTokens.of(core, context),
        )
        try:
            yield server
        finally:
            await server.documents.close()

    return await context.shared("authorization-server", opener)
