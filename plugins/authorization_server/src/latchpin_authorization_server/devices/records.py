"""The devices that wait, a document each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Collection
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Span

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.devices.device import Device, id_of, make_device, parse_device_code
from latchpin_authorization_server.errors import OAuthError

__all__ = ["DEVICES", "Devices"]

DEVICES = CollectionSpec("authorization_devices", ("address",), disposable=True)
MOST_FROM_ONE_ADDRESS = 50
MOST = 1000
"""Devices that wait at the same time: each of them makes a guess at a code likelier to find one."""

_LINGERS = timedelta(minutes=5)
"""How long one is told that its code has expired, instead of that it is unknown."""
_ATTEMPTS = 10
_TIMES = ("created_at", "ends_at", "polled_at", "answered_at")


class Devices:
    """Keeps devices while their people answer. All methods raise BackendUnavailable if the store cannot be asked."""

    def __init__(self, documents: Collection, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def begin(self, client: Client, *, resource: str, address: str, agent: str) -> tuple[Device, str, str]:
        """Keep a new one; gives its user code and its device code too.

        Raises:
            OAuthError: too many wait.
        """
        await self._check_room(address)
        for _ in range(_ATTEMPTS):
            device, user_code, device_code = make_device(
                client_id=client.id,
                client_name=client.name,
                resource=resource,
                address=address,
                agent=agent,
                now=self._clock(),
            )
            with suppress(RecordConflict):  # another device has this user code
                return await self._put(device), user_code, device_code
        raise RecordConflict("each user code that was made is another device's")

    async def of_code(self, device_code: str) -> Device | None:
        """The device that was given this device code. None if none was, or it is long over."""
        parsed = parse_device_code(device_code)
        device = None if parsed is None else await self.get(parsed[0])
        return device if device is not None and parsed is not None and device.has_secret(parsed[1]) else None

    async def get(self, device_id: str) -> Device | None:
        """Look. None if there is none."""
        held = await self._documents.get(device_id)
        return None if held is None else _parse(held)

    async def claim(self, user_code: str, email: str) -> Device | None:
        """Somebody typed a code: nobody else can from now on. None where no device waits with that code."""
        return await self._change(id_of(user_code), lambda device: device.claimed(email, self._clock()))

    async def answer(self, device_id: str, email: str, *, allow: bool) -> Device | None:
        """The person answered. None where nothing waits for that person's answer."""
        return await self._change(device_id, lambda device: device.answered(email, self._clock(), allow=allow))

    async def note_poll(self, device: Device) -> None:
        """The device asked; raises RecordConflict if its person did something at the same moment."""
        await self._put(device.polled(self._clock()))

    async def take(self, device: Device) -> bool:
        """End it: of several who do so at once, one is told True."""
        return await self._documents.take(device.id) is not None

    async def _check_room(self, address: str) -> None:
        if await self._documents.count("address", Span.only(address)) >= MOST_FROM_ONE_ADDRESS:
            raise OAuthError("temporarily_unavailable", "too many devices at this address wait", status=429)
        if await self._documents.count() >= MOST:
            raise OAuthError("temporarily_unavailable", "too many devices wait", status=503)

    async def _change(self, device_id: str, change: Callable[[Device], Device | None]) -> Device | None:
        for _ in range(_ATTEMPTS):
            device = await self.get(device_id)
            changed = None if device is None else change(device)
            if changed is None:
                return None
            with suppress(RecordConflict):  # the device asks at the same moment
                return await self._put(changed)
        raise RecordConflict("the device's request kept changing")

    async def _put(self, device: Device) -> Device:
        body = asdict(device)
        for name in ("id", "revision"):
            del body[name]
        body |= {name: moment.isoformat() for name in _TIMES if (moment := body[name]) is not None}
        index = {"address": device.address}
        written = await self._documents.put(
            Document(device.id, body, index, device.revision, device.ends_at + _LINGERS)
        )
        return replace(device, revision=written.revision)


def _parse(held: Document) -> Device:
    body = dict(held.body)
    body |= {name: datetime.fromisoformat(text) for name in _TIMES if (text := body[name]) is not None}
    return Device(id=held.id, revision=held.revision, **body)
