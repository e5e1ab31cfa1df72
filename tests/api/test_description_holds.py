"""Requests made at random from the API's own description: nothing fails unforeseen, and every answer is described."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latchpin_api_docs.description import describe_api
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, USER_HEADER, Connected, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_memory_store")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 8
"""For each operation, kind of argument and caller."""

OURS = {"authorization", "cookie", "accept", "user-agent", USER_HEADER.lower()}
"""Headers that say who asks, and for what: the test's own."""

ORDER = ("GET", "POST", "PUT", "DELETE")
"""What changes or removes things comes last, the gateway itself at the very end."""


NOBODY_DOES = {("GET", "/health"), ("GET", "/ready")}
USER_DOES = NOBODY_DOES | {
    ("GET", "/flows"),
    ("GET", "/flows/{flow_id}"),
    ("GET", "/gateways"),
    ("GET", "/gateways/{gateway_id}"),
    ("GET", "/gateways/{gateway_id}/tools"),
    ("GET", "/oauth/authorize/{gateway_id}"),
    ("GET", "/oauth/status/{gateway_id}"),
    ("POST", "/oauth/fetch-tools/{gateway_id}"),
}
ADMIN_DOES = (USER_DOES - {("POST", "/oauth/fetch-tools/{gateway_id}")}) | {
    ("GET", "/gateways/{gateway_id}/discovery"),
    ("GET", "/oauth/registered-clients"),
    ("GET", "/oauth/registered-clients/{gateway_id}"),
    ("DELETE", "/gateways/{gateway_id}"),
}
"""What succeeds whatever the other arguments are, so that not the refusals alone are looked at. Alice is connected."""


def made(document: dict[str, Any], there: Mapping[str, str]) -> list[Case]:
    """Requests with arguments that hold and with such that do not; half of them name what is there."""
    cases: list[Case] = []
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        cases += drawn(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        if may_be_wrong(document["paths"][operation.path][operation.method]):
            cases += drawn(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    for case in cases[::2]:
        for name in (case.path_parameters or {}).keys() & there.keys():
            case.path_parameters[name] = there[name]
    return sorted(cases, key=lambda case: (ORDER.index(case.method), case.path == "/gateways/{gateway_id}"))


def may_be_wrong(operation: Mapping[str, Any]) -> bool:
    """Whether there are arguments that the description does not allow: any text is a text."""
    schemas = [each["schema"] for each in operation.get("parameters", ()) if each["in"] != "header"]
    return "requestBody" in operation or any(each.keys() & {"pattern", "minimum", "enum"} for each in schemas)


def drawn(strategy: st.SearchStrategy[Case]) -> list[Case]:
    cases: list[Case] = []

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def collect(case: Case) -> None:
        cases.append(case)

    collect()
    return cases


def request_of(client: httpx.AsyncClient, case: Case, accept: str) -> httpx.Request:
    parts = case.as_transport_kwargs(base_url=BASE)
    headers = {name: value for name, value in parts["headers"].items() if name.lower() not in OURS}
    data = parts.get("data")
    form = isinstance(data, Mapping)
    body = {"json": parts["json"]} if "json" in parts else {"data" if form else "content": data}
    return client.build_request(
        parts["method"], parts["url"], params=parts.get("params"), headers=headers | {"accept": accept}, **body
    )


def judged(case: Case, answer: httpx.Response) -> str | None:
    """What is wrong with an answer, if anything is."""
    try:
        case.validate_response(Response.from_httpx(answer, verify=True), checks=CHECKS)
    except (AssertionError, ExceptionGroup) as exc:
        return f"{answer.request.method} {answer.request.url}: {answer.status_code}\n{exc}"
    return None


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    """Alice is connected and has tools."""
    found = await connect(gateway, provider)
    assert (await found.fetch()).status_code == 200
    return found


@pytest.fixture
async def there(gateway: InnerGateway, connected: Connected) -> dict[str, str]:
    """What there is, by the name of the path's place for it."""
    flow = (await connected.call("GET", "/flows")).json()["flows"][0]["flow_id"]
    (row,) = await gateway.application.services.records.clients.list()
    return {"gateway_id": connected.id, "flow_id": flow, "client_id": row.id}


@pytest.mark.parametrize(
    ("who", "does"),
    [(None, NOBODY_DOES), (ALICE, USER_DOES), (ADMIN, ADMIN_DOES)],
    ids=["nobody", "user", "administrator"],
)
async def test_no_answer_is_outside_the_description(connected: Connected, there, log, who, does):
    gateway, identity = connected.gateway, {} if who is None else await connected.bearer(who)
    described = describe_api(gateway.app, gateway.application.services.settings)
    wrong, statuses = [], defaultdict(set)
    async with gateway.client(None, **identity) as client:
        for number, case in enumerate(made(described, there)):
            accept = "text/html" if number % 5 == 4 else "application/json"
            try:
                request = request_of(client, case, accept)
            except (httpx.InvalidURL, UnicodeError):
                continue
            answer = await client.send(request)
            statuses[case.method, case.path].add(answer.status_code)
            if (said := judged(case, answer)) is not None:
                wrong.append(said)
            client.cookies.clear()
    assert wrong == []
    assert "Unexpected" not in log()
    assert {each for each, seen in statuses.items() if min(seen) < 400} >= does
