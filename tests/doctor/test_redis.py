"""What doctor asks Redis: version, role, eviction, room, persistence, and states without an end."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from latchpin.contracts import Severity
from latchpin_redis_store.checks import _failover, _there, _version
from latchpin_redis_store.settings import RedisSettings

from tests.doctor.conftest import of_check, one
from tests.servers import RedisServer

pytestmark = pytest.mark.backends("redis")


@contextlib.contextmanager
def configured(server: RedisServer, **values: str):
    """Configure it otherwise for a while."""
    earlier = {"maxmemory": "0", "maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}
    names = {name.replace("_", "-"): value for name, value in values.items()}
    try:
        for name, value in names.items():
            server.command("CONFIG", "SET", name, value)
        yield
    finally:
        for name in names:
            server.command("CONFIG", "SET", name, earlier[name])


async def test_a_healthy_one(settings, diagnose):
    findings = of_check(await diagnose(), "redis")
    assert {finding.severity for finding in findings} == {Severity.OK}
    assert findings[0].title.startswith("Valkey 9")


async def test_keys_that_were_evicted(settings, diagnose, redis_server: RedisServer):
    with configured(redis_server, maxmemory="3mb", maxmemory_policy="allkeys-random"):
        for number in range(40):
            redis_server.command("SET", f"filler:{number}", "x" * 100_000)
    report = await diagnose()
    assert one(report, "since its start").cause == "state-evicted"
    assert one(report, "Redis evicts nothing").severity is Severity.OK, "the policy is right again"


async def test_a_policy_that_would_evict_once_there_is_a_limit(settings, diagnose, redis_server: RedisServer):
    with configured(redis_server, maxmemory_policy="volatile-ttl"):
        finding = one(await diagnose(), "Redis would evict what is kept (maxmemory-policy volatile-ttl)")
    assert (finding.severity, finding.cause) == (Severity.WARNING, "state-evicted")


async def test_one_that_is_nearly_full(settings, diagnose, redis_server: RedisServer):
    info = dict(line.partition(":")[::2] for line in redis_server.command("INFO", "memory").decode().splitlines())
    limit = int(info["used_memory"]) * 102 // 100
    with configured(redis_server, maxmemory=str(limit)):
        finding = one(await diagnose(), "Redis is nearly full")
    assert (finding.severity, finding.cause) == (Severity.WARNING, "store-unavailable")


async def test_a_replica(settings, diagnose, redis_server: RedisServer):
    settings.setenv("REDIS_MAX_RETRIES", "1")
    redis_server.command("REPLICAOF", "127.0.0.1", "1")
    try:
        report = await diagnose()
    finally:
        redis_server.command("REPLICAOF", "NO", "ONE")
    assert one(report, "REDIS_URL leads to a replica").severity is Severity.FAILURE
    assert "failure" in {finding.severity for finding in of_check(report, "stores")}


async def test_snapshots_are_enough(settings, diagnose, redis_server: RedisServer):
    with configured(redis_server, appendonly="no", save="3600 1"):
        assert one(await diagnose(), "Redis persists what is kept").severity is Severity.OK


async def test_states_that_never_end(settings, diagnose, redis_server: RedisServer):
    redis_server.command("SET", "oauth:state:gateway:endless", "{}")
    redis_server.command("SET", "oauth:state:gateway:ending", "{}", "EX", "100")
    finding = one(await diagnose(), "1 states have no end")
    assert finding.command == "latchpin states purge --all"


async def test_a_user_that_may_not_ask_for_more_than_the_store_needs(settings, diagnose, redis_server: RedisServer):
    rules = ["~oauth:state:*", "~latchpin:*", "-@all", "+@read", "+@write", "+@scripting", "+ping", "-@dangerous"]
    redis_server.command("ACL", "SETUSER", "small", "on", ">small-password", "resetkeys", *rules)
    settings.setenv("REDIS_URL", f"redis://small:small-password@127.0.0.1:{redis_server.port}/0")
    try:
        report = await diagnose()
        redis_server.command("ACL", "SETUSER", "small", "+info", "+time", "+config|get")
        more = await diagnose()
    finally:
        redis_server.command("ACL", "DELUSER", "small")
    skipped = one(report, "How Redis is set up was not looked at")
    assert (skipped.severity, skipped.command) == (
        Severity.SKIPPED,
        f"redis-cli -h 127.0.0.1 -p {redis_server.port} acl setuser small +info +time '+config|get'",
    )
    assert {finding.severity for finding in of_check(report, "stores")} == {Severity.OK}
    assert {finding.severity for finding in of_check(more, "redis")} == {Severity.OK}


async def test_a_wrong_password_is_not_repeated(settings, diagnose, redis_server: RedisServer):
    settings.setenv("REDIS_MAX_RETRIES", "1")
    settings.setenv("REDIS_URL", f"redis://ann:hunter2@127.0.0.1:{redis_server.port}/0")
    report = await diagnose()
    assert one(report, "Redis cannot be asked").command == (
        f"redis-cli -h 127.0.0.1 -p {redis_server.port} --user ann --askpass ping"
    )
    assert "hunter2" not in str(report)


@pytest.mark.parametrize(("version", "severity"), [("5.0.14", "failure"), ("6.0.0", "ok"), ("7.4", "ok")])
def test_versions(version: str, severity: str):
    assert _version({"redis_version": version}).severity == severity


@pytest.mark.parametrize(
    ("url", "command", "pasted"),
    [
        ("redis://localhost", "ping", "-h;localhost;-p;6379;ping"),
        ("redis://:pw@10.0.0.7:6380/2", "ping", "-h;10.0.0.7;-p;6380;--user;default;--askpass;ping"),
        ("rediss://a%20b:pw@r.example", "ping", "-h;r.example;-p;6379;--tls;--user;a b;--askpass;ping"),
        ("unix:///run/my redis.sock", "ping", "-s;/run/my redis.sock;ping"),
        ("redis://ann:pw@r", "acl setuser <user> '+config|get'", "-h;r;-p;6379;acl;setuser;ann;+config|get"),
    ],
)
def test_a_command_is_good_for_pasting_and_leads_to_the_server_of_the_url(url, command, pasted):
    words = shlex.split(_there(f"redis-cli {command}", url))
    assert words == ["redis-cli", *pasted.split(";")]
    assert "pw" not in words


@pytest.mark.parametrize(("waits", "warned"), [(0, True), (1, False)])
def test_sentinels_without_waiting_for_replicas(waits, warned):
    settings = RedisSettings(redis_url="redis+sentinel://one/name/0", redis_wait_replicas=waits)
    assert bool(_failover(settings)) == warned
    assert not _failover(RedisSettings(redis_url="redis://one:6379/0"))
    command = _there("redis-cli ping", "redis+sentinel://:pass@one:1,two:2/name/0")
    assert command == "redis-cli -h <primary> --user default --askpass ping"
