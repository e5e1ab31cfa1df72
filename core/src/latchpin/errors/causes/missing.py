"""Why the store does not know a state that this gateway signed."""

from __future__ import annotations

from latchpin.errors.causes.cause import OPAQUE, Cause

__all__ = ["MISSING"]

_TITLE = "The store does not know this authorization"

STATE_NOT_FOUND = Cause(
    slug="state-not-found",
    fault="the store",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened="{what}",
    remedy=(
        "Start again with Authorize. If it happens now and then: CACHE_TYPE=memory is not shared between "
        "workers; use database or redis."
    ),
    meaning=(
        "The signature holds and the store does not know the state. The causes below say why, where that is known; "
        "this one stands where nothing proves any of them."
    ),
    see="several-workers-with-memory",
)
STATE_OTHER_WORKER = Cause(
    slug="state-other-worker",
    fault="the administrator",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened="another process of this machine ({pid}) began it, still runs, and keeps it in its own memory",
    remedy=(
        "Start again with Authorize. Set CACHE_TYPE=database or redis, or run one worker (WORKERS=1): memory is not "
        "shared between processes."
    ),
    meaning="`CACHE_TYPE=memory` with several workers: the callback reached another one than the one that began.",
    see="several-workers-with-memory",
    general="state-not-found",
)
STATE_BEFORE_RESTART = Cause(
    slug="state-before-restart",
    fault="the administrator",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened="the process that began it ({pid}) kept it in its memory, and has ended since",
    remedy=(
        "Start again with Authorize. With CACHE_TYPE=database or redis, authorizations that are under way outlive a "
        "restart."
    ),
    meaning="`CACHE_TYPE=memory`, and the gateway was restarted while the person was at the authorization server.",
    see="a-restart",
    general="state-not-found",
)
STATE_OTHER_MACHINE = Cause(
    slug="state-other-machine",
    fault="the administrator",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened="an instance on another machine or in another container began it, and kept it in its own memory",
    remedy=(
        "Start again with Authorize. Set CACHE_TYPE=database or redis on every instance: memory is not shared between "
        "them."
    ),
    meaning="`CACHE_TYPE=memory` behind a load balancer: the callback reached another machine than the one that began.",
    see="a-load-balancer",
    general="state-not-found",
)
STATE_NEVER_STORED = Cause(
    slug="state-never-stored",
    fault="the administrator",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened=(
        "this {store} never had it: the instance that began it ({instance}) keeps its states in another store than "
        "this one, which has been there since {born_at}"
    ),
    remedy=(
        "Start again with Authorize. Give every instance the same CACHE_TYPE and the same REDIS_URL or DATABASE_URL "
        "(latchpin config show prints what is read)."
    ),
    meaning=(
        "The state names the store that it was put into, and that is another one than this instance's: instances "
        "behind one address have different stores."
    ),
    see="a-load-balancer",
    general="state-not-found",
)
STATE_REMOVED = Cause(
    slug="state-removed",
    fault="the administrator",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened="it was kept in this {store} and removed before its time: {how}",
    remedy=(
        "Start again with Authorize. Do not empty the store, or run 'latchpin states purge --all', while people are at "
        "the authorization server."
    ),
    meaning=(
        "The state was stored, and somebody removed it before its time: the store was flushed, replaced or restored, "
        "its states were purged or its rows deleted."
    ),
    see="emptied-or-evicted",
    general="state-not-found",
)
STATE_EVICTED = Cause(
    slug="state-evicted",
    fault="the store",
    status=400,
    title=_TITLE,
    public=OPAQUE,
    happened="it was kept in {store}, which throws keys away when its memory is full: {how}",
    remedy="Start again with Authorize. Set Redis' maxmemory-policy to noeviction, and give it enough maxmemory.",
    meaning=(
        "Redis ran out of memory and its eviction policy lets it throw keys away before their time. It has done so."
    ),
    see="emptied-or-evicted",
    general="state-not-found",
)

MISSING = (
    STATE_NOT_FOUND,
    STATE_OTHER_WORKER,
    STATE_BEFORE_RESTART,
    STATE_OTHER_MACHINE,
    STATE_NEVER_STORED,
    STATE_REMOVED,
    STATE_EVICTED,
)
