"""Registers, changes and forgets clients at authorization servers (RFC 7591, RFC 7592)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from latchpin.contracts import Clock, Keeps, Registration, RegistrationRequest, Upstream
from latchpin.errors import IssuerMissing, LatchpinError, RegistrationFailed, RegistrationUnsupported, UpstreamError
from latchpin.model import ClientCredentials, RegisteredClient, Reply

from latchpin_dcr.registration import ClientMetadata, build_metadata, keep_agreed
from latchpin_dcr.reply import parse_management, parse_registration, parse_update
from latchpin_dcr.settings import DcrSettings

__all__ = ["DynamicRegistrar"]

_log = logging.getLogger("latchpin.dcr")

LABEL = "Dynamic Client Registration"

_JSON = {"content-type": "application/json", "accept": "application/json"}


@dataclass(frozen=True, slots=True)
class DynamicRegistrar:
    """Dynamic Client Registration. It only talks to the server; the core keeps what comes of it."""

    settings: DcrSettings
    upstream: Upstream
    clock: Clock

    @property
    def label(self) -> str:
        """What people call it."""
        return LABEL

    @property
    def keeps(self) -> Keeps:
        """A registration is made once and kept."""
        return Keeps.REGISTERED

    def obstacle(self, request: RegistrationRequest) -> str | None:
        """Settings, an entered client or the server's metadata may rule it out."""
        if request.configured is not None:
            return "a client is entered on the gateway"
        if not self.settings.dcr_enabled:
            return "DCR_ENABLED is false"
        if not self.settings.dcr_auto_register_on_missing_credentials:
            return "DCR_AUTO_REGISTER_ON_MISSING_CREDENTIALS is false"
        try:
            self._endpoint(request)
        except LatchpinError as exc:
            return (exc.detail or exc.public).rstrip(".")
        return None

    async def register(self, request: RegistrationRequest) -> ClientCredentials | Registration | None:
        """Register a client, or give None where a client is entered or DCR is switched off.

        Raises:
            IssuerMissing: nobody knows whose client it would be.
            RegistrationFailed: the server offers no registration, is not allowed here, or refused.
            UpstreamError: the server could not be asked.
        """
        wanted = self.settings.dcr_enabled and self.settings.dcr_auto_register_on_missing_credentials
        if request.configured is not None or not wanted:
            return None
        try:
            registration = await self._register(request, self._endpoint(request))
        except LatchpinError as exc:
            told = (_heading(exc), request.gateway.id, exc.detail or exc.public, exc.code)
            _log.warning("%s for gateway %s: %s [cause=%s]", *told, extra={"cause": exc.code})
            exc.logged = True
            raise
        _log.info(
            "DCR: Dynamic Client Registration gave gateway %s the client %s at %s",
            request.gateway.id,
            registration.credentials.client_id,
            request.server.issuer,
        )
        return registration

    async def update(
        self,
        client: RegisteredClient,
        request: RegistrationRequest,
        *,
        client_secret: str | None,
        registration_access_token: str,
    ) -> Registration:
        """Ask the server to let ``client`` have the scopes of ``request`` (RFC 7592 section 2.2).

        Raises:
            RegistrationFailed: the client is not managed, registering is switched off by now, or the server refused.
            UpstreamError: the server could not be asked.
        """
        obstacle = self.obstacle(request)
        if obstacle is not None or client.registration_client_uri is None:
            raise RegistrationFailed(f"The client is not changed: {obstacle or 'the server offers no way to it'}.")
        own = ClientCredentials(client.client_id, client_secret, client.token_endpoint_auth_method)
        before = Registration(
            credentials=own,
            redirect_uris=client.redirect_uris,
            grant_types=client.grant_types,
            scope=client.scope,
            registration_client_uri=client.registration_client_uri,
            registration_access_token=registration_access_token,
            secret_expires_at=client.expires_at,
        )
        wanted = self._metadata(replace(request, auth_method=client.token_endpoint_auth_method))
        metadata = keep_agreed(wanted, client)
        headers = {**_JSON, "authorization": f"Bearer {registration_access_token}"}
        uri = client.registration_client_uri
        reply = await self.upstream.send("PUT", uri, headers=headers, body=metadata.encode(own))
        answer = parse_update(reply, metadata, before, issuer=client.issuer, now=self.clock())
        self._pass_over("changed a client", client.issuer, answer.passed_over)
        told = (client.issuer, client.client_id, client.gateway_id, answer.registration.scope)
        _log.info("DCR: %s changed the client %s of gateway %s; its scopes are now: %s", *told)
        return answer.registration

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:
        """Ask the server to forget ``client`` (RFC 7592 section 2.3), and say what it answered."""
        if client.registration_client_uri is None or registration_access_token is None:
            return f"{client.issuer} offers no way to delete a client (RFC 7592); it still knows {client.client_id}."
        host = urlsplit(client.registration_client_uri).hostname
        try:
            reply = await self._delete(client.registration_client_uri, registration_access_token)
        except UpstreamError as exc:
            _log.warning("DCR: %s could not be asked to forget a client: %s", host, exc.detail or exc.public)
            return f"{host} could not be asked to forget the client: {exc.public}"
        return self._said(client, host or client.issuer, reply.status)

    def _said(self, client: RegisteredClient, host: str, status: int) -> str:
        _log.info("DCR: %s answered HTTP %s to forgetting a client of gateway %s", host, status, client.gateway_id)
        if 200 <= status < 300:  # noqa: PLR2004  HTTP
            return f"{host} has forgotten the client."
        if status in (401, 404):  # RFC 7592 section 2.3: what an unknown client gets
            return f"{host} does not know the client any more (HTTP {status})."
        return f"{host} did not forget the client (HTTP {status})."

    def _endpoint(self, request: RegistrationRequest) -> str:
        server = request.server
        if server.issuer is None:
            raise IssuerMissing
        allowed = self.settings.dcr_allowed_issuers
        if allowed and server.issuer not in allowed:
            raise RegistrationFailed(
                f"{server.issuer} is not in DCR_ALLOWED_ISSUERS.",
                remedy="Add the issuer to DCR_ALLOWED_ISSUERS, or enter a client_id on the gateway.",
            )
        if server.registration_endpoint is None:
            raise RegistrationUnsupported(RegistrationUnsupported.cause.tell(issuer=server.issuer))
        return server.registration_endpoint

    async def _register(self, request: RegistrationRequest, endpoint: str) -> Registration:
        metadata = self._metadata(request)
        reply = await self.upstream.send("POST", endpoint, headers=_JSON, body=metadata.encode())
        issuer = request.server.issuer
        try:
            answer = parse_registration(reply, metadata, issuer=issuer, now=self.clock())
        except RegistrationFailed:
            await self._give_back(reply, issuer, request.gateway.id)
            raise
        self._pass_over("registered", issuer, answer.passed_over)
        return answer.registration

    def _metadata(self, request: RegistrationRequest) -> ClientMetadata:
        return build_metadata(
            request,
            default_method=self.settings.dcr_token_endpoint_auth_method,
            default_scopes=self.settings.dcr_default_scopes,
            name_template=self.settings.dcr_client_name_template,
        )

    def _pass_over(self, what: str, issuer: str | None, odd: Sequence[str]) -> None:
        if odd:
            _log.warning("DCR: %s %s with %s", issuer, what, "; ".join(odd))

    async def _give_back(self, reply: Reply, issuer: str | None, gateway_id: str) -> None:
        """Delete a client that was registered and cannot be used: nobody would know of it."""
        managed = parse_management(reply, issuer)
        if managed is None:
            return
        try:
            answer = await self._delete(managed.uri, managed.token)
        except UpstreamError as exc:
            _log.warning("DCR: %s keeps a client that cannot be used: %s", issuer, exc.detail or exc.public)
        else:
            told = (issuer, answer.status, gateway_id)
            _log.info("DCR: %s answered HTTP %s to forgetting an unusable client of gateway %s", *told)

    async def _delete(self, uri: str, token: str) -> Reply:
        """Ask for a deletion (RFC 7592 section 2.3)."""
        return await self.upstream.send(
            "DELETE",
            uri,
            headers={"authorization": f"Bearer {token}", "accept": "application/json"},
            repeatable=True,  # deleting twice deletes once
        )


def _heading(exc: LatchpinError) -> str:
    public = exc.public.rstrip(".")
    return public if public.startswith("DCR") else f"DCR failed, {public[:1].lower()}{public[1:]}"
