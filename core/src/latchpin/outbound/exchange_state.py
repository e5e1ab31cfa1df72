"""What is seen of one request on its way, and the failure that comes of it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

import aiohttp

from latchpin.outbound.decoding import BodyTooLarge, BodyUndecodable, ByteBudget
from latchpin.outbound.failure import Failure, explain

__all__ = ["ExchangeState", "explaining", "following", "is_proxied", "note_refused", "note_sent"]


@dataclass(slots=True)
class ExchangeState:
    """What is seen of one request on its way.

    Attributes:
        sent: a connection is there for it, and it is written next.
        refused: the addresses that were refused, each with its reason.
        proxied: it leaves through a proxy: who is connected to is the proxy, which the deployer named.
    """

    sent: bool = False
    proxied: bool = False
    refused: list[str] = field(default_factory=list)


# A socket factory is told nothing but the address, and a connector not whose request it connects.
_followed: ContextVar[ExchangeState | None] = ContextVar("latchpin_exchange", default=None)


class following:  # noqa: N801  reads as what it does; a generator would cost several times as much a request
    """Write on ``exchange`` what ``note_sent`` and ``note_refused`` are told within."""

    __slots__ = ("_exchange", "_token")

    def __init__(self, exchange: ExchangeState) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        """Begin."""
        self._token = _followed.set(self._exchange)

    def __exit__(self, *_: object) -> None:
        """End."""
        _followed.reset(self._token)


def note_sent() -> None:
    """Note that the request that is followed, if there is one, is about to be written to a connection."""
    exchange = _followed.get()
    if exchange is not None:
        exchange.sent = True


def is_proxied() -> bool:
    """Whether the request that is followed leaves through a proxy."""
    exchange = _followed.get()
    return exchange is not None and exchange.proxied


def note_refused(reason: str) -> None:
    """Note an address that was refused, with its reason, if there is a request that wanted it."""
    exchange = _followed.get()
    if exchange is not None:
        exchange.refused.append(reason)


class explaining:  # noqa: N801  as ``following``
    """Turn what aiohttp, the sockets and the decoder raise into a Failure."""

    __slots__ = ("_budget", "_exchange")

    def __init__(self, budget: ByteBudget, exchange: ExchangeState) -> None:
        self._budget = budget
        self._exchange = exchange

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise the Failure, if something was raised that is explained."""
        if isinstance(error, Exception) and (failure := _explain(error, self._budget, self._exchange)) is not None:
            raise failure from error


def _explain(exc: Exception, budget: ByteBudget, exchange: ExchangeState) -> Failure | None:
    match exc:
        case TimeoutError():
            return Failure("timeout", "no whole answer in time", sent=exchange.sent)
        case BodyTooLarge():
            return Failure("too-large", f"its answer is larger than {budget.size:,} bytes", sent=True)
        case BodyUndecodable():
            return Failure("undecodable", f"its answer cannot be decoded: {exc}", sent=True)
        case aiohttp.ClientError() | OSError() | ValueError():
            return explain(exc, refused=exchange.refused, sent=exchange.sent)
        case _:
            return None
