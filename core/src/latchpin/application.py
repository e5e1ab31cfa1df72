"""The gateway's scripts, put together over one set of services; the web and the commands both start here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from latchpin.activity.flow_log import FlowLog
from latchpin.activity.recorder import FlowRecorder
from latchpin.authorization.callback import AuthorizationCallback
from latchpin.authorization.pending import PendingAuthorizations
from latchpin.authorization.redemption import Redemption
from latchpin.authorization.refusals import Refusal, Refusals
from latchpin.authorization.start import StartAuthorization
from latchpin.authorization.step_up import StepUp
from latchpin.clients.directory import ClientDirectory, Forgotten
from latchpin.contracts import ProtectedResource
from latchpin.errors import Conflict, InvalidRequest
from latchpin.gateways.access import AccessCache
from latchpin.gateways.api_keys import ApiKeys
from latchpin.gateways.connections import ConnectionService
from latchpin.gateways.gates import Gates
from latchpin.gateways.registry import GatewayRegistry, parse_gateway_body
from latchpin.gateways.removal import GatewayRemoval
from latchpin.gateways.status import GatewayStatusService
from latchpin.gateways.tools.toolbox import Toolbox
from latchpin.identity.assertion_store import AssertionStore
from latchpin.identity.departures import Departures
from latchpin.identity.groups import with_groups
from latchpin.identity.proven import ProvenCallers
from latchpin.identity.revocations import SessionRevocations
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.model import COMPANY, Caller, Gateway, StoredToken
from latchpin.model.accounts import name_account, name_authorization
from latchpin.oauth.scopes import is_scope
from latchpin.plugins.leaving import PEOPLE, load_moved
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.client_grant import needs_browser
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.scope_rules import whose_rules
from latchpin.tokens.service import TokenService
from latchpin.tokens.usage import Usage
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Application"]


class Application:
    """Everything the gateway can do, each thing in one attribute; what needs several of them is a method."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.signed_tokens = SignedTokens.of(services)
        self.proven_callers = ProvenCallers(services.identities, services.context.endings, services.clock)
        self.revocations = SessionRevocations(services.kept, services.clock, services.context.endings)
        self.departures = Departures(services.kept, services.clock, services.context.endings)
        self.servers = ServerDirectory(services.upstream, services.settings, services.clock, services.providers)
        self.clients = ClientDirectory(
            records=services.records,
            kept=services.kept,
            leases=services.leases,
            pauses=services.pauses,
            cipher=services.cipher,
            registrars=services.registrars,
            clock=services.clock,
            redirect_uri=services.settings.redirect_uri,
            writes=services.writes,
        )
        self.gateways = GatewayRegistry(services)
        self.gates = Gates(services.tool_gates, services.scope_ceilings)
        self.assertions = AssertionStore(services.kept, services.cipher)
        self.token_endpoint = TokenEndpoint(services)
        self.revoker = Revoker(services, self.servers, self.clients, self.token_endpoint)
        usage = Usage(services.connection_observers)
        self.tokens = TokenService(
            services,
            self.servers,
            self.clients,
            self.token_endpoint,
            self.revoker,
            usage=usage,
            pin=self.gateways.pin_issuer,
        )
        self.access = AccessCache(services, self.tokens)
        self.api_keys = ApiKeys(services, self.tokens, usage)
        self.recorder = FlowRecorder(services.activity, FlowLog(services.state_backend), worker=services.instance_id)
        self.pending_authorizations = PendingAuthorizations(services)
        self.step_up = StepUp(services.kept, services.clock)
        self.refusals = Refusals(services.kept, services.clock)
        self.start_authorization = StartAuthorization(
            services,
            self.gateways,
            self.servers,
            self.clients,
            self.tokens,
            step_up=self.step_up,
            proofs=self.token_endpoint.proofs,
            pending_authorizations=self.pending_authorizations,
            recorder=self.recorder,
        )
        self.authorization_callback = AuthorizationCallback(
            services,
            self.gateways,
            Redemption(services, self.servers, self.clients, self.token_endpoint, self.revoker, usage=usage),
            pending_authorizations=self.pending_authorizations,
            recorder=self.recorder,
        )
        self.toolbox = Toolbox(services, self.tokens, self.recorder, gates=self.gates, note_missing=self.step_up.note)
        self.connections = ConnectionService(services, self.gateways, self.tokens)
        self.removal = GatewayRemoval(services, self.gateways, self.clients, self.revoker, self.token_endpoint.proofs)
        self.status = GatewayStatusService(services, self.tokens)
        self._deleting: SharedTasks[object, Forgotten] = SharedTasks()

    @property
    def people(self) -> Any:  # noqa: ANN401  it is a plugin's
        """A ``latchpin_offboarding.people.People``; goes with hook API 2.0: make one.

        Raises:
            PluginError: the distribution is not installed.
        """
        warnings.warn(str(PEOPLE), DeprecationWarning, stacklevel=2)
        return load_moved(PEOPLE.instead)(self)

    async def scope_ceiling(self, gateway: Gateway, caller: Caller) -> frozenset[str] | None:
        """The only scopes that rules let be asked for, for the account or token that serves ``caller``; None: any.

        Raises:
            BackendUnavailable: it cannot be said.
        """
        return await self.gates.ceiling(gateway, whose_rules(self.tokens.owner_of(gateway, caller), caller))

    async def must_authorize(self, gateway: Gateway, caller: Caller) -> bool:
        """Whether ``caller`` gets no further at ``gateway`` before they authorize it, or enter a key, in a browser.

        They have no token; it cannot be used or renewed; or the server refused it, or wanted more scopes than it has,
        since they authorized. Asks the stores only.
        """
        if not needs_browser(gateway):
            return False
        if self.tokens.owner_of(gateway, caller) == COMPANY and not caller.is_admin:
            return False  # an administrator does
        stored = await self.tokens.stored_for(gateway, caller)
        if stored is None or not self.tokens.health(stored).authorized:
            return True
        return await self.refusals.stand(stored)

    async def note_refusal(self, gateway: Gateway, caller: Caller, *, wanted: Sequence[str] | None = None) -> Refusal:
        """Note that ``caller`` was just told to authorize ``gateway``.

        Args:
            gateway: whose server refused.
            caller: whom.
            wanted: the scopes that the server wants; None where it wants another token.

        Returns:
            What they owe, and whether a program may send them there by itself: not if they declined within the hour,
            nor if the last authorization was refused as the one before was less than a minute ago.
        """
        stored = await self.tokens.stored_for(gateway, caller)
        refusal = await self.refusals.note(gateway.id, self._name(gateway, caller, stored), stored, wanted=wanted)
        if stored is not None and refusal.is_new:
            await self.services.activity.tell(
                "token.refused",
                subject=stored.app_user_email,
                gateway_id=gateway.id,
                connection=stored.id,
                authorization=name_authorization(stored),
                wanted=None if wanted is None else tuple(filter(is_scope, wanted)),
            )
        return refusal

    async def latest_refusal(self, gateway: Gateway, caller: Caller) -> str | None:
        """The name of what ``caller`` was told last, as ``note_refusal`` gave it; they may have authorized since."""
        return await self.refusals.latest(gateway.id, await self._account(gateway, caller))

    async def owes_authorization(self, gateway: Gateway, caller: Caller) -> bool:
        """Whether ``caller`` was told to authorize ``gateway`` and has not done so: see ``note_refusal``."""
        may_help = await self.refusals.may_help(gateway.id, await self._account(gateway, caller))
        return may_help and await self.must_authorize(gateway, caller)

    async def decline_authorization(self, gateway: Gateway, caller: Caller) -> None:
        """Note that ``caller`` was asked to authorize ``gateway`` and does without."""
        stored = await self.tokens.stored_for(gateway, caller)
        await self.refusals.decline(gateway.id, self._name(gateway, caller, stored), stored)
        if stored is not None:
            facts = {"actor": caller.email, "subject": stored.app_user_email, "gateway_id": gateway.id}
            await self.services.activity.tell("authorization.declined", **facts, connection=stored.id)

    async def name_account(self, gateway: Gateway, caller: Caller) -> str:
        """The label of the account that an authorization by ``caller`` is to renew: of the one that serves them.

        Where there is none yet, that of the one they named, or ``""``.
        """
        stored = await self.tokens.stored_for(gateway, caller)
        return (caller.account or "") if stored is None else stored.label

    async def _account(self, gateway: Gateway, caller: Caller) -> str:
        """The name of the account that is meant, which is asked for where the caller named none."""
        asked = caller.account is None and self.tokens.owner_of(gateway, caller) == caller.email
        return self._name(gateway, caller, await self.tokens.stored_for(gateway, caller) if asked else None)

    def _name(self, gateway: Gateway, caller: Caller, stored: StoredToken | None) -> str:
        owner, label = self.tokens.account_of(gateway, caller)
        return name_account(owner, (label or "") if stored is None else stored.label)

    async def with_groups(self, caller: Caller) -> Caller:
        """The caller in all their groups, for who speaks of somebody whom no request proved.

        Raises:
            BackendUnavailable: they cannot be said.
        """
        return await with_groups(self.services.groups, caller)

    async def entry_notes(self, kind: str) -> dict[str, str]:
        """What is to be known of entries of a kind before they are changed, in sentences, by the entries' ids.

        Raises:
            BackendUnavailable: it cannot be said.
        """
        told: dict[str, list[str]] = {}
        for notes in self.services.entry_notes.values():
            for entry, sentence in (await notes.of(kind)).items():
                told.setdefault(entry, []).append(sentence)
        return {entry: " ".join(sentences) for entry, sentences in told.items()}

    async def connection_notes(self, caller: Caller) -> dict[str, tuple[str, ...]]:
        """Why the caller's connections need them, in sentences, by the gateway's id.

        Raises:
            BackendUnavailable: it cannot be said.
        """
        told: dict[str, tuple[str, ...]] = {}
        for notes in self.services.connection_notes:
            for gateway_id, sentences in (await notes.find(self, caller)).items():
                told[gateway_id] = (*told.get(gateway_id, ()), *sentences)
        return told

    async def list_resources(self, caller: Caller) -> list[ProtectedResource]:
        """The MCP endpoints that the caller may use, of every plugin, in the order in which people see them."""
        offered = self.services.protected_resources
        return [resource for each in offered for resource in await each.list(self, caller)]

    async def find_resource(self, url: str, caller: Caller) -> ProtectedResource | None:
        """The MCP endpoint of exactly that URL; None where there is none that the caller may use."""
        for offered in self.services.protected_resources:
            found = await offered.find(self, url, caller)
            if found is not None:
                return found
        return None

    async def confirm_issuer(self, gateway_id: str, issuer: str, caller: Caller) -> Gateway:
        """Trust the issuer that a gateway's server names now, in place of the one pinned when it was first used.

        Every user's token and the registered clients go: they were the old issuer's.

        Raises:
            Forbidden, NotFound: as for every change.
            InvalidRequest: the issuer is entered on the gateway, so nobody else names it.
            Conflict: the server names another one now.
            UpstreamError: it cannot be asked.
        """
        gateway = await self.gateways.get_to_change(gateway_id, caller)
        if gateway.oauth is None or gateway.oauth.issuer is not None:
            raise InvalidRequest(
                "the gateway's issuer is not found but entered, or it has none",
                remedy="Change oauth_config.issuer instead.",
            )
        named = await self.servers.named_issuer(gateway)
        if named != issuer:
            raise Conflict(f"{gateway.url} names the issuer {named} now, not {issuer[:200]!a}")
        body = parse_gateway_body({"pinned_issuer": issuer, "revision": gateway.revision})
        return await self.gateways.change(gateway.id, body, caller)

    async def delete_client(self, name: str, caller: Caller) -> Forgotten:
        """Delete a registered client; see ``ClientDirectory.delete``."""

        async def delete() -> Forgotten:
            forgotten = await self.clients.delete(name)
            gateway_id = forgotten.client.gateway_id
            await self.services.activity.tell("client.deleted", actor=caller.email, gateway_id=gateway_id)
            return forgotten

        return await self._deleting.run(object(), delete)

    async def close(self) -> None:
        """Let what is under way with other servers end, while the stores are still open."""
        await self.proven_callers.close()
        await self.access.close()
        await self.authorization_callback.close()
        await self.connections.close()
        await self._deleting.close()
        await self.removal.close()
        await self.tokens.close()
        await self.clients.close()
