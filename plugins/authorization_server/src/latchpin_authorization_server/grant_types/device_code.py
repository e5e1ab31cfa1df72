"""``urn:ietf:params:oauth:grant-type:device_code``: the question of a device that waits (RFC 8628 section 3.4)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from latchpin.errors import NotSignedIn, RecordConflict

from latchpin_authorization_server.devices.device import Device, Poll
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types.request import TokenRequest, give
from latchpin_authorization_server.grants.grant import make_redeemed_grant
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["DEVICE_CODE", "redeem_device_code"]

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_ATTEMPTS = 5


async def redeem_device_code(server: AuthorizationServer, request: TokenRequest) -> dict[str, Any]:
    """Give tokens once the person has allowed it. A code that another client sends got into other hands, and ends."""
    for _ in range(_ATTEMPTS):
        device = await _find(server, request)
        poll = device.judge(server.clock())
        if poll == "allowed":
            return await _give(server, request, device)
        if poll in {"expired", "denied"}:
            raise _refused(poll)
        with suppress(RecordConflict):  # the person does something at the same moment: look again
            await server.devices.note_poll(device)
            raise _refused(poll)
    raise OAuthError("slow_down", "the device asks several times at once")


async def _find(server: AuthorizationServer, request: TokenRequest) -> Device:
    device = await server.devices.of_code(request.form.get("device_code", ""))
    if device is None:
        raise OAuthError("invalid_grant", "the device code is unknown, was used, or has expired")
    if device.client_id != request.client.id:
        await server.devices.take(device)
        raise OAuthError("invalid_grant", "the device code was given to another client, and has ended")
    if request.form.get("resource", device.resource) != device.resource:
        raise OAuthError("invalid_target", "the device code is for another resource")
    return device


async def _give(server: AuthorizationServer, request: TokenRequest, device: Device) -> dict[str, Any]:
    if not await server.devices.take(device):
        raise OAuthError("invalid_grant", "the device code was used")
    answered_at = device.answered_at or device.created_at
    if await server.revocations.cover(device.email, answered_at.timestamp()):
        raise OAuthError("access_denied", "an administrator ended what the person had allowed")
    grant = make_redeemed_grant(
        email=device.email,
        client_id=request.client.id,
        client_name=request.client.name,
        resource=device.resource,
        now=server.clock(),
        lifetime=server.settings.refresh_token_lifetime,
        refreshes="refresh_token" in request.client.grant_types,
    )
    try:
        await server.allow(grant)
    except NotSignedIn as exc:
        raise OAuthError("access_denied", exc.detail) from exc
    await server.used(request.client)
    return await give(server, grant)


def _refused(poll: Poll) -> OAuthError:
    match poll:
        case "too-early":
            return OAuthError("slow_down", "asked too early: wait 5 seconds longer between two questions from now on")
        case "expired":
            return OAuthError("expired_token", "the device code has expired: begin again")
        case "denied":
            return OAuthError("access_denied", "the person did not allow it")
        case _:
            return OAuthError("authorization_pending", "the person has not answered yet")
