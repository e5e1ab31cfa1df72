"""The official client with its own OAuth at the URL of one account, and what the command line says of connections."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime

import pytest
from latchpin.model import COMPANY
from latchpin_testing import SuiteContext, samples

from tests.front_door.clients import REDIRECT_URI, Person, open_python_sdk
from tests.providers import sign_in
from tests.servers import run_latchpin
from tests.support.gateway_process import ADMIN, ALICE, settings_of

NEEDS = ("latchpin_authorization_server", "latchpin_dcr", "latchpin_proxy", "latchpin_demo")
BOB = "bob@example.com"


@pytest.mark.needs(*NEEDS)
@pytest.mark.backends("memory")
async def test_the_sdk_gets_in_at_the_url_of_an_account(deployed, demo):
    gateway_id = await deployed.add(demo.mcp_url, name="Files")
    for query, account in (("", ALICE), ("?account=work", BOB)):
        async with deployed.browser(ALICE) as browser:
            await browser.open(f"{deployed.url}/oauth/authorize/{gateway_id}{query}")
            page = await sign_in(browser, user=account)
            assert page.title == "OAuth Authorization Successful"
    url = f"{deployed.url}/gateways/{gateway_id}/mcp"
    async with deployed.browser(ALICE, stops_before=REDIRECT_URI) as browser:
        person = Person(browser, ALICE)
        async with open_python_sdk(f"{url}?account=work", person) as client:
            assert await client.call("who_am_i") == BOB
        async with open_python_sdk(url, person) as client:
            assert await client.call("who_am_i") == ALICE
        visits = len(person.visits)
        with pytest.raises(ExceptionGroup) as caught:
            async with open_python_sdk(f"{url}?account=home", person) as client:
                await client.call("who_am_i")
        assert "account=home in a browser" in "".join(traceback.format_exception(caught.value))
        assert len(person.visits) == visits + 1, "one sign-in, and none that could not lead to that account"


@pytest.mark.needs("latchpin_admin_cli", "latchpin_sql_store")
@pytest.mark.backends("sqlite")
async def test_the_command_line_lists_whose_account_is_used(backend, tmp_path):
    from latchpin_sql_store import plugin
    from latchpin_sql_store.settings import SqlSettings

    def latchpin(*arguments):
        ended = run_latchpin(*arguments, env=settings_of(backend), cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    add = ("gateways", "add", "http://127.0.0.1:1/mcp", "--no-discover", "--json", "--name")
    shared = json.loads(latchpin(*add, "Shared", "--connection", "shared"))["id"]
    own = json.loads(latchpin(*add, "Own"))["id"]
    now = datetime.now(UTC)
    url = SqlSettings(database_url=settings_of(backend)["DATABASE_URL"])
    async with SuiteContext() as context, plugin.latchpin_record_store().open(url, context) as store:
        for changes in (
            {"gateway_id": shared, "app_user_email": COMPANY, "connected_by": ADMIN},
            {"gateway_id": own, "app_user_email": ALICE},
            {"gateway_id": own, "app_user_email": ALICE, "label": "work", "chosen_at": now},
        ):
            await store.tokens.put(samples.stored_token(now, **changes), replacing=None)
    lines = latchpin("connections", "list").splitlines()
    assert f"shared, connected by {ADMIN}" in lines[1]
    assert sorted("work" in line and "default" in line for line in lines[2:]) == [False, True]
    told = json.loads(latchpin("connections", "list", "--email", ALICE, "--gateway", "Own", "--json"))
    assert {each["account"]: each["default"] for each in told} == {"": False, "work": True}
    assert json.loads(latchpin("gateways", "edit", "Shared", "--connection", "own", "--json"))["connection"] == "own"
    assert "rests" in latchpin("connections", "list", "--gateway", "Shared")
