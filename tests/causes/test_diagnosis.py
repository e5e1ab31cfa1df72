"""A diagnosis claims no more than is known, and never stands in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from latchpin.authorization.diagnosis import Diagnosis
from latchpin.contracts import StoreFacts

from tests.causes.conftest import Deployment
from tests.causes.situations_at_the_gateway import SHARED, purged
from tests.causes.situations_at_the_server import altered, damaged, secret_changed

pytestmark = pytest.mark.needs("latchpin_dcr")


async def _missing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, facts) -> str:
    """What a missing state is called if the store tells these facts of itself when asked why."""
    async with deployment.begun(await deployment.gateway()) as begun:
        states = begun.gateway.application.services.states
        await states.purge(everything=True)
        monkeypatch.setattr(states, "facts", lambda: facts(states))
        answer = await begun.finish()
        assert answer.status_code == 400
        return str(answer.json()["cause"])


@pytest.mark.backends(*SHARED)
async def test_a_diagnosis_that_fails_leaves_the_general_cause(deployment: Deployment, monkeypatch):
    async def fail(_self) -> StoreFacts:
        raise RuntimeError("the diagnosis is broken")

    assert await _missing(deployment, monkeypatch, fail) == "state-not-found"
    assert "Traceback" not in (deployment.folder / "logs" / "mcpgateway.log").read_text()


@pytest.mark.backends(*SHARED)
async def test_a_diagnosis_that_takes_too_long_is_given_up(deployment: Deployment, monkeypatch):
    import asyncio

    async def never(_self) -> StoreFacts:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("latchpin.authorization.diagnosis.PATIENCE_SECONDS", 0.05)
    assert await _missing(deployment, monkeypatch, never) == "state-not-found"


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    ("age", "evictions", "cause"),
    [
        (timedelta(seconds=-1), "", "state-removed"),  # this store began after the state was issued
        (timedelta(seconds=100), "", "state-not-found"),  # the other may not have heard of it yet
        (timedelta(seconds=200), "", "state-never-stored"),
        (timedelta(seconds=200), "it has thrown away 3 keys", "state-never-stored"),
        (timedelta(seconds=-1), "it has thrown away 3 keys", "state-evicted"),  # the name went too
    ],
)
async def test_what_the_facts_allow_to_say(deployment: Deployment, monkeypatch, age, evictions, cause):
    async def facts(self) -> StoreFacts:
        return StoreFacts("another", datetime.now(UTC) - age, evictions=evictions)

    monkeypatch.setattr("latchpin.authorization.pending.PendingAuthorizations.known_name", "another")
    assert await _missing(deployment, monkeypatch, facts) == cause


@pytest.mark.backends("sqlite")
async def test_a_state_from_before_stores_had_names_is_not_explained(deployment: Deployment, monkeypatch):
    async def nameless(self) -> StoreFacts:
        return StoreFacts("", datetime.now(UTC))

    gateway = await deployment.gateway()
    states = gateway.application.services.states
    monkeypatch.setattr(states, "facts", lambda: nameless(states))
    gateway.clock.advance(minutes=5)  # by then the name of the start is asked for again
    async with deployment.begun(gateway) as begun:
        await gateway.application.services.states.purge(everything=True)
        assert (await begun.finish()).json()["cause"] == "state-not-found"


@pytest.mark.needs("latchpin_memory_store")
@pytest.mark.backends("redis")
async def test_a_user_of_redis_who_may_only_keep_states_is_served_without_a_diagnosis(deployment: Deployment):
    server = deployment.servers["redis"]
    server.command("ACL", "SETUSER", "narrow", "on", ">secret", "~oauth:state:*", "+@all", "-info", "-time")
    try:
        url = server.url.replace("redis://", "redis://narrow:secret@")
        gateway = await deployment.gateway(REDIS_URL=url, RECORD_STORE="memory")
        async with deployment.begun(gateway) as begun:
            assert (await begun.finish()).status_code == 200
            answer = await begun.finish()
            assert answer.json()["cause"] == "state-used"
        async with deployment.begun(gateway) as begun:
            server.command("FLUSHALL")
            assert (await begun.finish()).json()["cause"] == "state-not-found"
    finally:
        server.command("ACL", "DELUSER", "narrow")


@pytest.mark.backends("memory", "sqlite")
async def test_a_store_that_is_watched_can_still_tell(deployment: Deployment):
    from latchpin.activity.observers import ObservedStates, Observers
    from latchpin.contracts import StoreDiagnostics

    states = (await deployment.gateway()).application.services.states
    watched = ObservedStates(states, Observers())
    assert isinstance(watched, StoreDiagnostics)
    assert (await watched.facts()).name == (await states.facts()).name


@pytest.mark.backends("sqlite")
async def test_nothing_is_asked_while_all_is_well(deployment: Deployment, monkeypatch):
    asked: list[object] = []
    monkeypatch.setattr(Diagnosis, "narrow", lambda *given: asked.append(given))
    gateway = await deployment.gateway()
    states = gateway.application.services.states
    told = states.facts

    async def counted() -> StoreFacts:
        asked.append(states)
        return await told()

    monkeypatch.setattr(states, "facts", counted)
    for _ in range(2):
        async with deployment.begun(gateway) as begun:
            assert (await begun.finish()).status_code == 200
    assert asked == []


@pytest.mark.backends("sqlite")
async def test_who_has_proven_nothing_cannot_tell_a_changed_secret_from_a_forgery(deployment: Deployment):
    answers = []
    for bring in (secret_changed, altered, damaged):
        problem = (await bring(deployment)).json()
        answers.append({name: problem[name] for name in problem if name not in {"flow_id", "request_id"}})
    assert answers[0] == answers[1] == answers[2]
    assert deployment.causes_logged()[0] == "state-secret-changed"


@pytest.mark.backends("sqlite")
async def test_a_key_id_that_came_with_a_state_cannot_write_into_the_log(deployment: Deployment):
    import base64
    import json

    async with deployment.begun(await deployment.gateway()) as begun:
        fields = {
            "key_id": "a\n2026-01-01 latchpin.flow WARNING - cause=made-up",
            "timestamp": "2026-01-01T00:00:00+00:00",
        }
        names = ("gateway_id", "app_user_email", "nonce", "browser", "instance", "flow_id", "store")
        body = json.dumps(dict.fromkeys(names, "x") | fields).encode()
        state = f"{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}.AAAA"
        answer = await begun.finish(url=f"http://localhost:4444/oauth/callback?code=c&state={state}")
    assert answer.json()["cause"] == "state-signature"
    assert "made-up" not in (deployment.folder / "logs" / "mcpgateway.log").read_text()


@pytest.mark.backends("memory")
async def test_the_catalogue_is_shown_and_each_cause_has_a_page(deployment: Deployment):
    from latchpin.errors import known_causes

    gateway = await deployment.gateway()
    async with gateway.client(None, Accept="text/html") as client:
        whole = (await client.get("http://localhost:4444/problems")).text
        for slug, cause in known_causes().items():
            assert f'id="{slug}"' in whole
            page = await client.get(f"http://localhost:4444/problems/{slug}")
            assert page.status_code == 200
            assert cause.fault in page.text
    assert (await purged(deployment)).json()["documentation"] == "http://localhost:4444/problems#state-removed"
