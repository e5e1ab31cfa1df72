"""Each of the guide's eight causes, set up for real, is found before a user meets it, with its remedy.

Three things nobody can see beforehand: a person who is slow, one who reloads the callback page, and a restart that
is yet to come. What makes them more likely is seen, and the page says the rest.
"""

from __future__ import annotations

import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from latchpin.contracts import Severity
from latchpin.model import CLIENT_ITSELF

from tests.doctor.conftest import not_well, of_check, one, run_doctor
from tests.doctor.test_healthy import authorize
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, Reservation, start_latchpin
from tests.support.gateway_in_process import BASE, SECRET, open_gateway
from tests.support.gateway_process import settings_of

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"
OTHER = "another-secret-of-the-tests-with-enough-characters"
SHARED = pytest.mark.backends("sqlite", "postgres", "redis")
WITH_DCR = pytest.mark.needs("latchpin_dcr")
WITH_MEMORY = pytest.mark.needs("latchpin_memory_store")


def facts(finding) -> tuple[Severity, str, str]:
    return finding.severity, finding.cause, finding.command


# -- 1, several workers with memory -----------------------------------------------------------------------


@WITH_MEMORY
@SHARED
async def test_1_two_processes_that_each_have_a_memory_of_their_own(settings, diagnose):
    settings.setenv("CACHE_TYPE", "memory")
    async with open_gateway():
        assert [each.severity for each in of_check(await diagnose(), "workers")] == [Severity.OK]
        async with open_gateway():
            finding = one(await diagnose(), "Several processes with CACHE_TYPE=memory")
    assert facts(finding) == (Severity.FAILURE, "state-other-worker", "CACHE_TYPE=database")
    assert "2 instances announced themselves" in finding.detail
    assert "CACHE_TYPE=redis" in finding.remedy


@WITH_MEMORY
@pytest.mark.backends("sqlite")
async def test_1_the_setting_workers_is_enough(settings, diagnose):
    settings.setenv("CACHE_TYPE", "memory")
    settings.setenv("WORKERS", "4")
    finding = one(await diagnose(), "Several processes with CACHE_TYPE=memory")
    assert "WORKERS is 4." in finding.detail


@WITH_MEMORY
@pytest.mark.slow
@pytest.mark.backends("sqlite")
def test_1_gunicorns_workers_are_seen_among_the_processes(backend: GatewayBackend, tmp_path: Path):
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    memory = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    with Reservation() as place:
        env = settings_of(backend) | memory | {"PORT": str(place.port)}
        options = ["-k", "uvicorn_worker.UvicornWorker", "--bind", f"127.0.0.1:{place.port}", "latchpin.asgi:app"]
        with start_latchpin("--workers", "1", *options, executable=gunicorn, env=env, cwd=tmp_path):
            assert run_doctor(env, tmp_path).only("workers")["severity"] == "ok"
        with start_latchpin("--workers", "2", *options, executable=gunicorn, env=env, cwd=tmp_path) as server:
            server.wait_for_output("Booting worker", times=2)
            ended = run_doctor(env, tmp_path)
    assert ended.returncode == 1
    assert "2 processes serve it here" in ended.only("workers")["detail"]


# -- 2, it took too long ----------------------------------------------------------------------------------


@pytest.mark.backends("sqlite")
async def test_2_a_lifetime_that_is_shorter_than_people(settings, diagnose):
    settings.setenv("STATE_TTL_SECONDS", "20")
    finding = one(await diagnose(), "People have only 20 s to authorize")
    assert facts(finding) == (Severity.WARNING, "state-expired", "STATE_TTL_SECONDS=300")


@pytest.mark.backends("postgres", "redis")
@pytest.mark.parametrize(("ahead", "way"), [(timedelta(minutes=-6), "ahead of"), (timedelta(minutes=6), "behind")])
async def test_2_a_clock_that_is_not_the_stores(settings, diagnose, ahead: timedelta, way: str):
    from latchpin.assembly.clock import utc_now

    finding = one(await diagnose(clock=lambda: utc_now() + ahead), f"s {way} this machine's")
    assert facts(finding) == (Severity.FAILURE, "clock-skew", "timedatectl status")


# -- 3, used before -----------------------------------------------------------------------------------------


@WITH_DCR
@SHARED
async def test_3_a_reload_leaves_nothing_that_is_not_well_and_the_page_says_so(settings, provider, diagnose):
    async with open_gateway() as gateway, gateway.browser() as browser:
        callback = await gateway.returned(browser, await gateway.add(provider.provider.mcp_url))
        assert (await browser.open(callback)).status == 200
        assert (await browser.open(callback)).status == 400
        assert not_well(await diagnose()) == []
    assert "somebody reloads the callback page" in PAGE.read_text()


# -- 4, a restart -------------------------------------------------------------------------------------------


@WITH_MEMORY
@SHARED
async def test_4_states_that_a_restart_would_lose(settings, diagnose):
    settings.setenv("CACHE_TYPE", "memory")
    finding = one(await diagnose(), "CACHE_TYPE=memory keeps states in one process")
    assert facts(finding) == (Severity.WARNING, "state-before-restart", "CACHE_TYPE=database")


@pytest.mark.backends("redis")
async def test_4_a_redis_that_forgets_in_a_restart(settings, diagnose, redis_server):
    redis_server.command("CONFIG", "SET", "appendonly", "no")
    try:
        finding = one(await diagnose(), "Redis keeps nothing over a restart")
    finally:
        redis_server.command("CONFIG", "SET", "appendonly", "yes")
    command = f"redis-cli -h 127.0.0.1 -p {redis_server.port} config set appendonly yes"
    assert facts(finding) == (Severity.FAILURE, "state-removed", command)
    assert "gateways, tokens and clients are lost" in finding.detail


# -- 5, another gateway ---------------------------------------------------------------------------------------


@WITH_DCR
@SHARED
async def test_5_redirect_uris_that_lead_elsewhere_since_base_url_changed(settings, provider, diagnose):
    async with open_gateway() as gateway:
        registered = await gateway.add(provider.provider.mcp_url)
        await authorize(gateway, registered)
        own = {"redirect_uri": f"{BASE}/oauth/callback/{{gateway_id}}"}
        entered = await gateway.add(provider.provider.mcp_url, name="entered", oauth_config=own)
    settings.setenv("BASE_URL", "http://localhost:5555")
    report = await diagnose()
    finding = one(report, "its client is registered with another redirect URI")
    assert (finding.severity, finding.cause) == (Severity.WARNING, "redirect-uri-mismatch")
    assert finding.gateway_id == registered
    assert "http://localhost:5555/oauth/callback" in finding.detail
    assert finding.command == "latchpin doctor --fix"
    finding = one(report, "entered: its redirect URI does not lead to this gateway")
    assert facts(finding) == (Severity.FAILURE, "redirect-uri-mismatch", f"latchpin gateways show {entered}")


@SHARED
async def test_5_a_redirect_uri_that_the_provider_does_not_know(settings, provider: FaultSwitch, diagnose):
    client = provider.accounts.ledger.put_client(
        name="by hand", redirect_uris=("http://localhost:9/elsewhere",), auth_method="client_secret_basic", scope=""
    )
    async with open_gateway() as gateway:
        await gateway.add(
            provider.provider.mcp_url, oauth_config={"client_id": client.id, "client_secret": client.secret}
        )
    report = await diagnose()
    assert one(report, "its server knows the client").severity is Severity.OK
    finding = one(report, "its server shows an error instead of a sign-in")
    assert (finding.severity, finding.cause) == (Severity.WARNING, "redirect-uri-mismatch")
    assert f"Register {BASE}/oauth/callback" in finding.remedy


# -- 6, a load balancer ---------------------------------------------------------------------------------------


@WITH_MEMORY
@SHARED
async def test_6_two_machines_that_each_have_a_memory_of_their_own(settings, diagnose):
    settings.setenv("CACHE_TYPE", "memory")
    async with open_gateway():
        here = socket.gethostname
        settings.setattr(socket, "gethostname", lambda: "another-machine")
        async with open_gateway():
            settings.setattr(socket, "gethostname", here)
            finding = one(await diagnose(), "Several processes with CACHE_TYPE=memory")
    assert facts(finding) == (Severity.FAILURE, "state-other-machine", "CACHE_TYPE=database")
    assert "another-machine" in finding.detail


@WITH_MEMORY
@SHARED
async def test_6_machines_that_keep_states_in_different_stores(settings, diagnose, backend: GatewayBackend):
    async with open_gateway():
        settings.setenv("CACHE_TYPE", "memory")
        async with open_gateway():
            settings.setenv("CACHE_TYPE", backend.environment["CACHE_TYPE"])
            finding = one(await diagnose(), "Instances keep states in different stores")
    assert facts(finding) == (Severity.FAILURE, "state-never-stored", "latchpin config show")


@pytest.mark.needs("latchpin_sql_store")
@pytest.mark.backends("redis")
async def test_6_records_in_a_local_file_beside_shared_states(settings, diagnose, tmp_path: Path):
    from latchpin_sql_store.migrate import upgrade_database

    url = f"sqlite:///{tmp_path}/local.db"
    upgrade_database(url)
    settings.setenv("RECORD_STORE", "database")
    settings.setenv("DATABASE_URL", url)
    finding = one(await diagnose(), "States are shared through Redis, and gateways and tokens are in a local SQLite")
    assert (finding.severity, finding.cause) == (Severity.WARNING, "authorization-required")
    assert finding.command.startswith("DATABASE_URL=postgresql://")


# -- 7, the secret changed --------------------------------------------------------------------------------------


@SHARED
async def test_7_instances_with_different_secrets(settings, diagnose):
    async with open_gateway():
        settings.setenv("AUTH_ENCRYPTION_SECRET", OTHER)
        async with open_gateway():
            finding = one(await diagnose(), "Instances have different secrets")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "state-secret-changed")
    assert "the same AUTH_ENCRYPTION_SECRET for every instance" in finding.remedy
    assert OTHER not in str(finding)
    assert SECRET not in str(finding)


@WITH_DCR
@SHARED
async def test_7_a_secret_that_was_changed_and_waits_for_the_restart(settings, provider: FaultSwitch, diagnose):
    async with open_gateway() as gateway:
        await authorize(gateway, await gateway.add(provider.provider.mcp_url))
        settings.setenv("AUTH_ENCRYPTION_SECRET", OTHER)
        report = await diagnose()
        finding = one(report, "The running gateway has another secret than these settings")
        assert (finding.severity, finding.cause) == (Severity.FAILURE, "state-secret-changed")
        finding = one(report, "Stored secrets open with no key")
        assert (finding.severity, finding.cause) == (Severity.FAILURE, "unsealable")
        assert "1 users' tokens, 1 registered clients" in finding.detail
        assert "AUTH_ENCRYPTION_SECRETS_OLD" in finding.remedy
        assert one(report, "1 of 1 connection needs a new authorization").detail.startswith("Connections: 1 unsealable")

        settings.setenv("AUTH_ENCRYPTION_SECRETS_OLD", SECRET)
        report = await diagnose()
        finding = one(report, "The running gateway has another secret than these settings")
        assert (finding.severity, finding.remedy) == (Severity.WARNING, "Restart every instance.")
        assert of_check(report, "sealed")[0].severity is Severity.OK


# -- 8, the verifier is lost ------------------------------------------------------------------------------------


@pytest.mark.backends("redis")
async def test_8_a_redis_that_evicts(settings, diagnose, redis_server):
    redis_server.command("CONFIG", "SET", "maxmemory", "100mb")
    redis_server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        finding = one(await diagnose(), "Redis may evict what is kept (maxmemory-policy allkeys-lru)")
    finally:
        redis_server.command("CONFIG", "SET", "maxmemory", "0")
        redis_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert finding.command == (f"redis-cli -h 127.0.0.1 -p {redis_server.port} config set maxmemory-policy noeviction")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "state-evicted")


AWAY = {
    "postgres": ("The database cannot be asked", "psql -h 127.0.0.1 -p "),
    "redis": ("Redis cannot be asked", "redis-cli -h 127.0.0.1 -p "),
}


@pytest.mark.backends("postgres", "redis")
async def test_8_a_store_that_is_away(settings, diagnose, backend: GatewayBackend, request):
    settings.setenv("REDIS_MAX_RETRIES", "1")
    server = request.getfixturevalue({"postgres": "postgres", "redis": "redis_server"}[backend.name])
    async with open_gateway():
        server.stop()
        try:
            report = await diagnose()
        finally:
            server.start()
    title, command = AWAY[backend.name]
    finding = one(report, title)
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "store-unavailable")
    assert finding.command.startswith(command)
    assert one(report, "A gateway cannot start").cause == "store-unavailable"
    assert of_check(report, "settings")[0].severity is Severity.OK, "the rest is still checked"
    if "DATABASE_URL" in backend.environment:
        password = backend.environment["DATABASE_URL"].partition("@")[0].rpartition(":")[2]
        assert password not in str(report)


def spoil(file: Path) -> None:
    assert file.is_file()
    file.write_bytes(b"not a database" * 100)


@pytest.mark.backends("sqlite")
async def test_8_a_store_that_is_damaged(settings, diagnose, tmp_path: Path):
    spoil(tmp_path / "latchpin.db")
    finding = one(await diagnose(), "The database cannot be asked")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "store-unavailable")


# -- and what else the guide's steps look at --------------------------------------------------------------------


@WITH_DCR
@pytest.mark.backends("sqlite")
async def test_a_gateways_own_token_is_counted_like_others(settings, provider: FaultSwitch, diagnose):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        await authorize(gateway, gateway_id)
        tokens = gateway.application.services.records.tokens
        (token,) = await tokens.list(gateway_id=gateway_id)
        assert token.app_user_email != CLIENT_ITSELF
        report = await diagnose(clock=lambda: token.expires_at - timedelta(minutes=1))
        assert one(report, "can be used or renewed").detail == "Connections: 1 near expiry."
        assert token.app_user_email not in str(report.document())
