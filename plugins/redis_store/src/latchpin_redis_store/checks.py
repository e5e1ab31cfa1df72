"""What ``latchpin doctor`` asks Redis: is it there, may it forget things, and what time is it there?

On a connection of its own, so that it can be asked also when the gateway does not start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from shlex import quote
from typing import Any
from urllib.parse import SplitResult, unquote

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.errors import BackendUnavailable
from latchpin.sdk.checks import compare_clocks
from latchpin.sdk.settings import mask
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from latchpin_redis_store.client import open_client
from latchpin_redis_store.cluster import CLUSTER_SCHEMES, parse_cluster
from latchpin_redis_store.cluster_checks import check_cluster
from latchpin_redis_store.eviction import KEEP_REMEDY
from latchpin_redis_store.hosts import split_url
from latchpin_redis_store.sentinel import SCHEMES
from latchpin_redis_store.settings import RedisSettings
from latchpin_redis_store.states import PREFIX

__all__ = ["check_redis"]

TIMEOUT_SECONDS = 2.0
OLDEST = (6, 0)  # SET ... KEEPTTL
FULL = 0.9
MOST_SCANS = 100
"""Looks for states without an end in at most so many thousand keys."""

CLI, USER = "redis-cli", "<user>"
"""How each command begins, and where it names the user in REDIS_URL, before ``_there`` says which server."""

NOEVICTION = f"{CLI} config set maxmemory-policy noeviction"


async def check_redis(context: CheckContext) -> Sequence[Finding]:
    """Everything, if Redis is selected for anything."""
    selected = [backend for backend in (context.state_backend, context.record_backend) if backend is not None]
    if "redis" not in {backend.name for backend in selected}:
        return []
    settings = context.load(RedisSettings)
    try:
        patience = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        cluster = parse_cluster(settings.redis_url)
        if cluster is not None:
            waits = settings.redis_wait_replicas
            findings = await check_cluster(cluster, waits, lambda client: _look(client, context), **patience)
        else:
            async with open_client(settings, **patience) as client:
                findings = [*await _look(client, context), *await _one_of_several(client)]
    except (RedisError, OSError, ValueError) as exc:
        reason = " ".join(str(exc).split())[:300] or type(exc).__name__
        findings = [
            Finding(
                Severity.FAILURE,
                "Redis cannot be asked",
                f"REDIS_URL holds {mask(settings.redis_url)}: {reason}",
                "Start Redis, or correct REDIS_URL.",
                f"{CLI} ping",
                BackendUnavailable.code,
            )
        ]
    findings += _failover(settings)
    return [replace(each, command=_there(each.command, settings.redis_url)) for each in findings]


async def _look(client: Redis, context: CheckContext) -> list[Finding]:
    await client.ping()
    try:
        info = await client.info()
        clock = await _clock(client, context)
    except NoPermissionError:
        return [_not_told(), *await _leftovers(client)]
    keeps_records = context.record_backend is not None and context.record_backend.name == "redis"
    findings = [_version(info), _role(info), *_memory(info), *await _persistence(client, info, keeps_records), clock]
    return [*(finding for finding in findings if finding is not None), *await _leftovers(client)]


def _failover(settings: RedisSettings) -> list[Finding]:
    """Whether a write that was confirmed may be forgotten when a replica takes over."""
    scheme = split_url(settings.redis_url).scheme
    if scheme not in {*SCHEMES, *CLUSTER_SCHEMES} or settings.redis_wait_replicas:
        return []
    return [
        Finding(
            Severity.WARNING,
            "A failover may forget what was just written",
            "Replicas copy a moment later: a renewed token or a used state may come back as it was before.",
            "Set REDIS_WAIT_REPLICAS to 1. Then each primary needs two replicas: one must be left after a failover.",
        )
    ]


async def _one_of_several(client: Redis) -> list[Finding]:
    """A cluster's server that is asked as if it were alone: it refuses what lies on the others."""
    try:
        alone = not (await client.info("cluster")).get("cluster_enabled")
    except NoPermissionError:
        return []
    if alone:
        return []
    return [
        Finding(
            Severity.FAILURE,
            "REDIS_URL leads to one server of a cluster",
            "It refuses what lies on the other servers.",
            "Begin REDIS_URL with redis+cluster://, or rediss+cluster:// for TLS.",
            cause=BackendUnavailable.code,
        )
    ]


async def _clock(client: Redis, context: CheckContext) -> Finding:
    before = context.clock()
    seconds, microseconds = await client.time()
    theirs = datetime.fromtimestamp(seconds + microseconds / 1_000_000, UTC)
    return compare_clocks("Redis", theirs, before=before, after=context.clock())


def _not_told() -> Finding:
    """A user of its own, as our README gives it, may not ask."""
    return Finding(
        Severity.SKIPPED,
        "How Redis is set up was not looked at",
        "The user in REDIS_URL may not ask for it: eviction, persistence and its clock are unknown.",
        "Allow that user these three, or check maxmemory-policy and appendonly by hand.",
        f"{CLI} acl setuser {USER} +info +time '+config|get'",
    )


def _version(info: Mapping[str, Any]) -> Finding:
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    shown = str(info.get("valkey_version", info.get("redis_version", "?")))
    speaks = tuple(int(part) for part in str(info.get("redis_version", "0.0")).split(".")[:2] if part.isdigit())
    if speaks >= OLDEST:
        return Finding(Severity.OK, f"{name} {shown} answers")
    return Finding(
        Severity.FAILURE,
        f"{name} {shown} is too old",
        "It does not know SET with KEEPTTL.",
        "Use Redis 6.0 or newer, or any Valkey.",
        f"{CLI} info server",
        BackendUnavailable.code,
    )


def _role(info: Mapping[str, Any]) -> Finding | None:
    if info.get("role") == "master":
        return None
    return Finding(
        Severity.FAILURE,
        "REDIS_URL leads to a replica",
        "Nothing can be written there.",
        "Set REDIS_URL to the primary.",
        f"{CLI} info replication",
        BackendUnavailable.code,
    )


def _memory(info: Mapping[str, Any]) -> list[Finding]:
    """Whether Redis throws keys away, has done so, or will soon refuse to take more."""
    policy, limit = str(info.get("maxmemory_policy", "noeviction")), int(info.get("maxmemory", 0))
    evicted, used = int(info.get("evicted_keys", 0)), int(info.get("used_memory", 0))
    findings = []
    if policy != "noeviction":
        findings.append(_evicting(policy, limited=limit > 0))
    elif limit and used > limit * FULL:
        detail = f"{used * 100 // limit} % of maxmemory are used; when it is full, no authorization can begin."
        remedy = "Raise maxmemory, or find what else fills it."
        command, cause = f"{CLI} info memory", BackendUnavailable.code
        findings.append(Finding(Severity.WARNING, "Redis is nearly full", detail, remedy, command, cause))
    else:
        findings.append(Finding(Severity.OK, "Redis evicts nothing (maxmemory-policy noeviction)"))
    if evicted:
        title = f"Redis evicted {evicted} key{'' if evicted == 1 else 's'} since its start"
        detail = "States among them are unknown at the callback."
        findings.append(Finding(Severity.WARNING, title, detail, KEEP_REMEDY, NOEVICTION, "state-evicted"))
    return findings


def _evicting(policy: str, *, limited: bool) -> Finding:
    if limited:
        detail = "When its memory is full, authorizations under way disappear, with RECORD_STORE=redis gateways and "
        detail += "tokens too."
        title = f"Redis may evict what is kept (maxmemory-policy {policy})"
        return Finding(Severity.FAILURE, title, detail, KEEP_REMEDY, NOEVICTION, "state-evicted")
    detail = "It does once anybody sets maxmemory."
    title = f"Redis would evict what is kept (maxmemory-policy {policy})"
    return Finding(Severity.WARNING, title, detail, KEEP_REMEDY, NOEVICTION, "state-evicted")


async def _persistence(client: Redis, info: Mapping[str, Any], keeps_records: bool) -> list[Finding]:
    """Whether a restart of Redis forgets what is kept."""
    failing = [name for name in ("rdb_last_bgsave_status", "aof_last_write_status") if info.get(name) == "err"]
    if failing:
        title, remedy = "Redis fails to write to its disk", "See the log of Redis; make room or mend the disk."
        detail, command = ", ".join(failing), f"{CLI} info persistence"
        return [Finding(Severity.FAILURE, title, detail, remedy, command, BackendUnavailable.code)]
    if info.get("aof_enabled") or await _saves(client):
        return [Finding(Severity.OK, "Redis persists what is kept")]
    lost = "gateways, tokens and clients are lost" if keeps_records else "authorizations under way are lost"
    return [
        Finding(
            Severity.FAILURE if keeps_records else Severity.WARNING,
            "Redis keeps nothing over a restart",
            f"Neither AOF nor snapshots are on: at a restart of Redis {lost}.",
            "Switch AOF on, also in redis.conf.",
            f"{CLI} config set appendonly yes",
            "state-removed",
        )
    ]


async def _saves(client: Redis) -> bool:
    """Whether snapshots are made; True where we may not ask."""
    try:
        held = await client.config_get("save")
    except RedisError:
        return True
    return bool(held.get("save", "?"))


async def _leftovers(client: Redis) -> list[Finding]:
    """States that never end: somebody else's doing, such as a restored dump."""
    endless, cursor = 0, 0
    for _ in range(MOST_SCANS):
        cursor, keys = await client.scan(cursor, match=f"{PREFIX}*", count=1000)
        asked = client.pipeline(transaction=False)
        for key in keys:
            asked.pttl(key)
        endless += sum(life == -1 for life in await asked.execute())
        if not cursor:
            break
    if not endless:
        return [Finding(Severity.OK, "No expired or used state is left over")]
    title, detail = f"{endless} states have no end", "They were not written by the gateway, or their life was taken."
    remedy = "Remove all states; who is authorizing starts again."
    return [Finding(Severity.WARNING, title, detail, remedy, "latchpin states purge --all")]


def _there(command: str, url: str) -> str:
    """The same command at the server of ``url``, wherever that is; a password is asked for and not shown."""
    if not command.startswith(CLI):
        return command
    parts, words = split_url(url), command.removeprefix(CLI)
    user = quote(unquote(parts.username or "default"))
    if USER in words:  # an administrator of Redis types this one, whose name is not known
        return f"{CLI}{_server(parts)}{words.replace(USER, user)}"
    login = f" --user {user} --askpass" if parts.password else ""
    return f"{CLI}{_server(parts)}{login}{words}"


def _server(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        return f" -s {quote(unquote(parts.path))}"
    if parts.scheme in SCHEMES or parts.scheme in CLUSTER_SCHEMES:
        return f" -h <primary>{' --tls' if parts.scheme.startswith('rediss') else ''}"
    tls = " --tls" if parts.scheme == "rediss" else ""
    return f" -h {quote(parts.hostname or 'localhost')} -p {parts.port or 6379}{tls}"
