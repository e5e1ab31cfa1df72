"""What lay in tables of its own before is found in the collections after the upgrade."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from latchpin_audit.chain import build_chain, check_chain
from latchpin_audit.entry import AuditNote
from latchpin_flows.steps import dump_step
from latchpin_flows.summaries import FlowQuery
from latchpin_sql_store import plugin
from latchpin_sql_store.columns import UtcTime
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.migrate import alembic_config, upgrade_database
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import MovedClock, SuiteContext, samples
from latchpin_testing.sealing import SuiteSigner

from tests.records.stores import Pieces, sample_flow

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = "\u65e5" * 240 + "@example.com"  # 252 characters, and more bytes than an index field may have


def old_schema(url: str, revision: str = "0004") -> None:
    config = alembic_config()
    config.attributes["url"] = parse_url(url)
    command.upgrade(config, revision)


def put(connection: sa.Connection, table: str, **values: object) -> None:
    columns = [sa.column(key, UtcTime if isinstance(value, datetime) else None) for key, value in values.items()]
    connection.execute(sa.insert(sa.table(table, *columns)).values(values))


def fill(url, gateway_id, flow, chain) -> None:
    engine = build_engine(parse_url(url), "migrate")
    of = {"gateway_id": gateway_id, "app_user_email": ADA}
    with engine.begin() as connection:
        gateway = {"id": gateway_id, "name": "one", "url": "https://mcp.example.com", "auth_type": "none"}
        times = {"created_at": NOW, "updated_at": NOW + HOUR}
        put(connection, "gateways", **gateway, allowed_users="[]", revision=1, **times)
        put(connection, "kept_values", name="lasting", value="a value")
        put(connection, "kept_values", name="ending", value="another", expires_at=NOW + HOUR)
        put(
            connection, "kept_values", name="states:origin", value='{"name": "n", "since": "2026-01-01T00:00:00+00:00"}'
        )
        put(connection, "tools", id="1", **of, name="add", definition='{"name":"add"}', **times)
        steps = {"step_count": len(flow), "steps": "\n".join(map(dump_step, flow))}
        ends = {"began_at": flow[0].at, "last_at": flow[-1].at}
        put(connection, "oauth_flows", flow_id=flow[0].flow_id, **of, **ends, outcome="pending", **steps)
        for entry in chain:
            values = {name: getattr(entry, name) for name in entry.__slots__}
            put(connection, "audit_log", **values | {"facts": json.dumps(dict(entry.facts))})
    engine.dispose()


@pytest.mark.parametrize("fixture", ["sqlite_url", "database_url"])
async def test_what_was_kept_is_there_after_the_upgrade(request, fixture):
    url = request.getfixturevalue(fixture)
    gateway_id, clock = samples.new_id(), MovedClock(NOW)
    notes = [AuditNote(NOW, "gateway.created", "person", "", gateway_id, {"n": str(n)}) for n in range(3)]
    chain = build_chain(None, notes, SuiteSigner())
    flow = [step for step in sample_flow(NOW) if step.step in {"begun", "redirected"}]
    flow = [replace(step, gateway_id=gateway_id, app_user_email=ADA) for step in flow]
    old_schema(url)
    fill(url, gateway_id, flow, chain)
    assert upgrade_database(url)[0] == "0004"
    settings = SqlSettings(database_url=url)
    async with SuiteContext(clock) as context, plugin.latchpin_record_store().open(settings, context) as store:
        pieces = Pieces(store, clock)
        assert await pieces.kept.list("") == {"lasting": "a value", "ending": "another"}
        (tool,) = await pieces.tools.list(gateway_id, ADA)
        assert (tool.name, tool.definition, tool.created_at, tool.updated_at) == (
            "add",
            {"name": "add"},
            NOW,
            NOW + HOUR,
        )
        assert await pieces.flows.get(flow[0].flow_id) == tuple(flow)
        queries = FlowQuery(), FlowQuery(app_user_email=ADA), FlowQuery(gateway_id=gateway_id, outcome="pending")
        for query in queries:
            assert [found.flow_id for found in await pieces.flows.list(query, limit=9)] == [flow[0].flow_id]
        entries = await pieces.audit.list(limit=9)
        assert entries == chain
        check_chain(entries, SuiteSigner())
        clock.advance(HOUR)
        assert await pieces.kept.list("") == {"lasting": "a value"}


FOREIGN = {"user_id": "sub", "client_id": "c", "access_token": "sealed", "token_type": "Bearer", "scopes": "[]"}
"""What a token of an instance of the version before holds besides its place."""


@pytest.mark.parametrize("fixture", ["sqlite_url", "database_url"])
async def test_the_version_before_goes_on_beside_labels_and_shared_connections(request, fixture):
    """Its rows are found after the upgrade, and what it writes then is found too."""
    await go_on_beside(request.getfixturevalue(fixture))


async def go_on_beside(url: str) -> None:
    """Judge that an instance of the version before goes on with the upgraded database at ``url``."""
    gateway_id, times = samples.new_id(), {"created_at": NOW, "updated_at": NOW}
    row = {"gateway_id": gateway_id, **FOREIGN, "revision": 1, "expires_at": NOW + HOUR, **times}
    old_schema(url, "0005")
    engine = build_engine(parse_url(url), "migrate")
    with engine.begin() as connection:
        gateway = {"id": gateway_id, "name": "one", "url": "https://mcp.example.com", "auth_type": "none"}
        put(connection, "gateways", **gateway, allowed_users="[]", revision=1, **times)
        put(connection, "oauth_tokens", id="1", app_user_email=ADA, **row)
    assert upgrade_database(url)[0] == "0005"
    with engine.begin() as connection:
        put(connection, "oauth_tokens", id="2", app_user_email="bob@example.com", **row)
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        put(connection, "oauth_tokens", id="3", app_user_email="bob@example.com", **row)
    engine.dispose()
    settings = SqlSettings(database_url=url)
    async with SuiteContext() as context, plugin.latchpin_record_store().open(settings, context) as store:
        found = await store.gateways.get(gateway_id)
        assert (found.connection, found.api_key) == ("own", None)
        assert [token.id for token in await store.tokens.list(gateway_id=gateway_id, label="")] == ["1", "2"]
        work = replace(await store.tokens.get(gateway_id, ADA), id="4", label="work")
        await store.tokens.put(work, replacing=None)
        await store.gateways.delete(gateway_id)
        assert await store.tokens.list() == [], "the rebuilt table still belongs to its gateway"
