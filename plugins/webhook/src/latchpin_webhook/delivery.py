"""One message to one receiver: signed, sent once, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

from latchpin.errors import AddressRefused, LatchpinError
from latchpin_attention.outbox import Undelivered

from latchpin_webhook.endpoints import Endpoint, Endpoints
from latchpin_webhook.signing import sign

__all__ = ["post"]

_WAIT = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_LONGEST_WAIT = timedelta(days=1)


async def post(endpoints: Endpoints, endpoint: Endpoint, name: str, body: bytes, now: datetime) -> None:
    """Send a message; return once the receiver took it, with any 2xx. A redirect is no such answer.

    Raises:
        Undelivered: it did not.
    """
    signed = sign(name, int(now.timestamp()), body, endpoints.keys)
    headers = {"content-type": "application/json", **signed}
    try:
        reply = await endpoint.upstream.send("POST", endpoint.url, headers=headers, body=body)
    except AddressRefused as exc:
        raise Undelivered(f"{exc.detail}; WEBHOOK_ALLOW_PRIVATE_NETWORKS allows private addresses") from exc
    except LatchpinError as exc:
        raise Undelivered(exc.detail or exc.public) from exc
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        await endpoints.note_back(endpoint)
        return
    if reply.status == HTTPStatus.GONE:
        await endpoints.note_gone(endpoint)
        raise Undelivered("it answered 410: nothing more is sent there", final=True)
    wait = _read_wait(reply.headers) if reply.status in _WAIT else None
    raise Undelivered(f"it answered {reply.status}", wait=wait)


def _read_wait(headers: Mapping[str, str]) -> timedelta | None:
    """``Retry-After`` in seconds (RFC 9110 section 10.2.3); a date is passed over."""
    text = headers.get("retry-after", "").strip()
    return min(timedelta(seconds=int(text[:9])), _LONGEST_WAIT) if text.isascii() and text.isdecimal() else None
