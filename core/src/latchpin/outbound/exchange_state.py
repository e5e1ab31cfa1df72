"""What is seen of one request on its way, and the failure that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import aiohttp

from latchpin.outbound.decoding import BodyTooLarge, BodyUndecodable, ByteBudget
from latchpin.outbound.failure import Failure, explain

__all__ = ["ExchangeState", "explaining", "following", "note_refused"]


@dataclass(slots=True)
class ExchangeState:
    """What is seen of one request on its way."""

    sent: bool = False
    refused: list[str] = field(default_factory=list)


# A socket factory is told nothing but the address.
_followed: ContextVar[ExchangeState | None] = ContextVar("latchpin_passage", default=None)


@contextmanager
def following(exchange: ExchangeState) -> Iterator[None]:
    """Write on ``exchange`` what ``note_refused`` is told within."""
    token = _followed.set(exchange)
    try:
        yield
    finally:
        _followed.reset(token)


def note_refused(reason: str) -> None:
    """Note an address that was refused, with its reason, if there is a request that wanted it."""
    exchange = _followed.get()
    if exchange is not None:
        exchange.refused.append(reason)


@contextmanager
def explaining(budget: ByteBudget, exchange: ExchangeState) -> Iterator[None]:
    """Turn what aiohttp, the sockets and the decoder raise into a Failure."""
    try:
        yield
    except TimeoutError as exc:
        raise Failure("timeout", "no whole answer in time", sent=exchange.sent) from exc
    except BodyTooLarge as exc:
        limit = f"its answer is larger than {budget.size:,} bytes"
        raise Failure("too-large", limit, sent=True) from exc
    except BodyUndecodable as exc:
        raise Failure("undecodable", f"its answer cannot be decoded: {exc}", sent=True) from exc
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        raise explain(exc, refused=exchange.refused, sent=exchange.sent) from exc
