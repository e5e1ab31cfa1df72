"""What the authorization server tells of what happened: the log and the audit log have it."""

from __future__ import annotations

import re
from typing import Any

from latchpin.model import CLIENT_ITSELF, Fact
from latchpin_authorization_server.facts import FACTS

from tests.authorization_server.conftest import StockClient, answer_of
from tests.support.gateway_in_process import ALICE


class Listening:
    def __init__(self) -> None:
        self.heard: list[Fact] = []

    async def record(self, fact: Fact) -> None:
        self.heard.append(fact)

    def of(self, name: str) -> list[Fact]:
        return [fact for fact in self.heard if fact.name == name]


def listen(gateway: Any) -> Listening:
    listening = Listening()
    gateway.application.services.activity.add({}, {"test": listening})
    return listening


def test_every_line_is_made_of_what_its_fact_has():
    for fact in FACTS:
        allowed = {"actor", "subject", "gateway_id", *fact.kind.details.split()}
        assert set(re.findall(r"%\((\w+)\)", fact.kind.line)) <= allowed


async def test_what_a_person_allows_is_told_with_the_client_and_the_endpoint(gateway, stock: StockClient, browser):
    listening = listen(gateway)
    await stock.gets_in(browser)
    (told,) = listening.of("grant.allowed")
    assert (told.actor, told.subject) == (ALICE, ALICE)
    assert told.details == {"client_id": stock.client["client_id"], "resource": stock.mcp_url}


async def test_a_code_that_comes_twice_is_told_at_a_warning(gateway, stock: StockClient, browser, caplog):
    listening = listen(gateway)
    await stock.introduce()
    code = answer_of(await stock.visit(browser))["code"]
    await stock.redeem(code)
    assert (await stock.redeem(code)).status_code == 400
    (told,) = listening.of("grant.misused")
    assert (told.actor, told.subject) == (CLIENT_ITSELF, ALICE)
    (line,) = [record for record in caplog.records if "came twice" in record.message]
    assert line.levelname == "WARNING"
    assert code not in line.message


async def test_what_a_client_revokes_is_told_once(gateway, stock: StockClient, browser):
    listening = listen(gateway)
    tokens = await stock.gets_in(browser)
    form = {"client_id": stock.client["client_id"], "token": tokens["refresh_token"]}
    for _ in range(2):
        await stock.http.post(stock.metadata["revocation_endpoint"], data=form)
    assert len(listening.of("grant.ended")) == 1


async def test_a_client_that_registers_changes_and_goes_is_told_each_time(gateway, stock: StockClient):
    listening = listen(gateway)
    await stock.introduce()
    url, token = stock.client["registration_client_uri"], stock.client["registration_access_token"]
    headers = {"authorization": f"Bearer {token}"}
    names = ("client_id", "redirect_uris", "grant_types", "token_endpoint_auth_method")
    await stock.http.put(url, json={name: stock.client[name] for name in names}, headers=headers)
    await stock.http.delete(url, headers=headers)
    told = [(fact.name, fact.actor, fact.details["client_id"]) for fact in listening.heard]
    happened = ("mcp-client.registered", "mcp-client.changed", "mcp-client.deleted")
    assert told == [(name, CLIENT_ITSELF, stock.client["client_id"]) for name in happened]
    assert token not in repr(listening.heard)


async def test_nothing_that_is_told_names_an_address_in_its_details(gateway, stock: StockClient, browser):
    listening = listen(gateway)
    tokens = await stock.gets_in(browser)
    await stock.refresh(tokens["refresh_token"])
    own = {fact.name for fact in FACTS}
    assert [fact for fact in listening.heard if fact.name in own and "@" in repr(fact.details)] == []
