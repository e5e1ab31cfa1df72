"""Where each client secret is sealed: the place that goes with it as associated data, and how it is opened.

A ciphertext that is copied onto another gateway, issuer or column does not open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from latchpin.contracts import Cipher, Registration, RegistrationRequest
from latchpin.errors import Unsealable
from latchpin.model import Gateway, OAuthConfig, RegisteredClient, Sealed
from latchpin.model.gateway import OAUTH_SECRETS
from latchpin.records.key_uses import reseal

__all__ = [
    "open_configured_secret",
    "open_registered_secret",
    "open_registration_token",
    "reseal_client",
    "reseal_configured",
    "seal_client",
    "seal_configured_secret",
    "sealed_in",
]

_CONFIGURED = "client_secret"
_AT_IDENTITY_PROVIDER = "identity_provider_client_secret"
_REGISTERED = "client_secret_encrypted"
_REGISTRATION_TOKEN = "registration_access_token_encrypted"  # noqa: S105  a column's name


def sealed_in(gateway: Gateway) -> Mapping[str, Sealed]:
    """The secrets in a gateway's entry that are there, by their fields."""
    found = {column: getattr(gateway.oauth, column, None) for column in OAUTH_SECRETS}
    return {column: sealed for column, sealed in found.items() if sealed is not None}


def reseal_configured(gateway: Gateway, cipher: Cipher) -> Gateway:
    """The gateway with the secrets in its entry sealed under today's key; raises Unsealable if one does not open."""
    if gateway.oauth is None:
        return gateway
    places = {column: _place_in(gateway.id, gateway.oauth, column) for column in sealed_in(gateway)}
    anew: dict[str, Any] = {
        column: reseal(cipher, getattr(gateway.oauth, column), place) for column, place in places.items()
    }
    return replace(gateway, oauth=replace(gateway.oauth, **anew))


def reseal_client(client: RegisteredClient, cipher: Cipher) -> RegisteredClient:
    """The client with its secrets sealed under today's key; raises Unsealable if one does not open."""

    def anew(sealed: Sealed | None, column: str) -> Sealed | None:
        place = (client.gateway_id, "", client.issuer, column)
        return None if sealed is None else reseal(cipher, sealed, place)

    secret, token = anew(client.client_secret, _REGISTERED), anew(client.registration_access_token, _REGISTRATION_TOKEN)
    return replace(client, client_secret=secret, registration_access_token=token)


def seal_configured_secret(
    secret: str, *, gateway_id: str, issuer: str | None, cipher: Cipher, column: str = _CONFIGURED
) -> Sealed:
    """Seal the secret that an administrator entered, in that field, for a gateway whose entry names that issuer."""
    return cipher.seal(secret, associated_data=(gateway_id, "", issuer or "", column))


def open_configured_secret(gateway: Gateway, cipher: Cipher, *, column: str = _CONFIGURED) -> str | None:
    """Open the secret in that field of a gateway's entry, None if there is none.

    Raises:
        Unsealable: it was sealed under a secret that is gone; says how to mend it.
    """
    config = gateway.oauth
    sealed: Sealed | None = getattr(config, column) if config is not None else None
    if config is None or sealed is None:
        return None
    try:
        return cipher.unseal(sealed, associated_data=_place_in(gateway.id, config, column))
    except Unsealable as exc:
        raise Unsealable(
            f"The {column} of gateway '{gateway.name}' cannot be opened: {exc.detail}.",
            remedy="Put the earlier AUTH_ENCRYPTION_SECRET into AUTH_ENCRYPTION_SECRETS_OLD, or enter the "
            f"gateway's {column} anew.",
        ) from exc


def _place_in(gateway_id: str, config: OAuthConfig, column: str) -> tuple[str, ...]:
    issuer = config.identity_provider if column == _AT_IDENTITY_PROVIDER else config.issuer
    return (gateway_id, "", issuer or "", column)


def seal_client(
    request: RegistrationRequest,
    registration: Registration,
    cipher: Cipher,
    *,
    id: str,  # noqa: A002  the row's id, as everywhere
    now: datetime,
) -> RegisteredClient:
    """Make the record of a registration, its secrets sealed. The server must have an issuer."""
    gateway_id, issuer = request.gateway.id, request.server.issuer or ""

    def sealed(value: str | None, column: str) -> Sealed | None:
        return None if value is None else cipher.seal(value, associated_data=(gateway_id, "", issuer, column))

    return RegisteredClient(
        id=id,
        gateway_id=gateway_id,
        issuer=issuer,
        client_id=registration.credentials.client_id,
        client_secret=sealed(registration.credentials.client_secret, _REGISTERED),
        redirect_uris=registration.redirect_uris,
        grant_types=registration.grant_types,
        scope=registration.scope,
        token_endpoint_auth_method=registration.credentials.auth_method,
        registration_client_uri=registration.registration_client_uri,
        registration_access_token=sealed(registration.registration_access_token, _REGISTRATION_TOKEN),
        created_at=now,
        expires_at=registration.secret_expires_at,
    )


def open_registered_secret(client: RegisteredClient, cipher: Cipher) -> str | None:
    """Open a registered client's secret, None if it has none.

    Raises:
        Unsealable: it was sealed under a secret that is gone; says how to mend it.
    """
    if client.client_secret is None:
        return None
    try:
        return cipher.unseal(client.client_secret, associated_data=(client.gateway_id, "", client.issuer, _REGISTERED))
    except Unsealable as exc:
        raise Unsealable(
            f"The secret of the client registered at {client.issuer} cannot be opened: {exc.detail}.",
            remedy="Put the earlier AUTH_ENCRYPTION_SECRET into AUTH_ENCRYPTION_SECRETS_OLD, or delete the client "
            f"(DELETE /oauth/registered-clients/{client.id}): it is then registered anew.",
        ) from exc


def open_registration_token(client: RegisteredClient, cipher: Cipher) -> str | None:
    """Open the token that manages the registration (RFC 7592); None if there is none or it does not open.

    It serves only to tidy up at the server, so one that is lost must not keep a client from being deleted.
    """
    if client.registration_access_token is None:
        return None
    place = (client.gateway_id, "", client.issuer, _REGISTRATION_TOKEN)
    try:
        return cipher.unseal(client.registration_access_token, associated_data=place)
    except Unsealable:
        return None
