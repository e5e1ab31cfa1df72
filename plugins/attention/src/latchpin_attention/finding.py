"""Which connections need their person now: looked for in what is stored, so that nothing shown is old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.model import COMPANY, Caller, Gateway, StoredToken
from latchpin.sdk.gateway import may_use
from latchpin.sdk.settings import load

from latchpin_attention.need import Need, Signal, judge
from latchpin_attention.settings import AttentionSettings
from latchpin_attention.signals import SIGNALS, Signals

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["find_needs", "needs_of", "still_needed"]

AT_ONCE = 200
"""Tokens that are judged without a pause."""


async def find_needs(application: Application) -> list[Need]:
    """Every connection that needs its person, longest first. It reads through all connections.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    tokens = await application.services.records.tokens.list()
    return await _judge(application, tokens, await _signals(application).read())


async def needs_of(application: Application, caller: Caller) -> list[Need]:
    """Those that ``caller`` can mend: their own, and for an administrator what all share.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    records = application.services.records
    tokens = await records.tokens.list(app_user_email=caller.email)
    if caller.is_admin:
        tokens += await records.tokens.list(app_user_email=COMPANY)
    signals = await _signals(application).get_all(each.id for each in tokens)
    return await _judge(application, tokens, signals, allowed=lambda gateway: may_use(gateway, caller))


async def still_needed(application: Application, needs: Iterable[Need]) -> list[Need]:
    """Those of ``needs`` that stand as they did, judged now.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    found = []
    for need in needs:
        token = await application.services.records.tokens.get(need.gateway_id, need.owner, need.account)
        if token is None:
            continue
        signals = await _signals(application).get_all([token.id])
        found += [each for each in await _judge(application, [token], signals) if each.id == need.id]
    return found


def _signals(application: Application) -> Signals:
    return Signals(application.services.context.collection(SIGNALS), application.services.clock)


async def _judge(
    application: Application,
    tokens: Sequence[StoredToken],
    signals: Mapping[str, Signal],
    *,
    allowed: Callable[[Gateway], bool] = lambda _: True,
) -> list[Need]:
    """A person who may not use a gateway any more is not sent to authorize it."""
    services = application.services
    gateways = {each.id: each for each in await services.records.gateways.list()} if tokens else {}
    now, ahead = services.clock(), timedelta(days=load(AttentionSettings).attention_days_ahead)
    found = []
    for count, token in enumerate(tokens, start=1):
        gateway = gateways.get(token.gateway_id)
        if gateway is not None and allowed(gateway):
            opens = application.tokens.health(token).opens
            need = judge(gateway, token, signals.get(token.id), opens=opens, now=now, ahead=ahead)
            found += [] if need is None else [need]
        if count % AT_ONCE == 0:
            await asyncio.sleep(0)  # a gateway that serves goes on in between
    return sorted(found, key=lambda each: (each.since, each.id))
