"""The API's description is whole: what it refers to is in it, and what every operation is called is one operation's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.gateways.body import GatewayBody
from latchpin.model import OAuthConfig
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.web.app import create_app
from latchpin.web.dispatch import HotRoute
from latchpin.web.documents.gateways import GatewayConfig
from latchpin.web.schemas import whole_schema
from latchpin_api_docs.description import describe_api

pytestmark = pytest.mark.needs("latchpin_dcr")


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The description with every plugin that is installed."""
    monkeypatch.setenv("LOG_FILE", "")
    app = create_app()
    tear_down_logging()
    return describe_api(app, load(CoreSettings))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def leads_somewhere(document: dict[str, Any], reference: str) -> bool:
    at: Any = document
    for part in reference.removeprefix("#/").split("/"):
        at = at.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(at, dict) else None
    return reference.startswith("#/") and at is not None


def test_every_reference_leads_somewhere(document):
    found = set(references(document))
    assert found
    assert [each for each in found if not leads_somewhere(document, each)] == []


def test_every_operation_has_a_name_of_its_own(document):
    names = Counter(each["operationId"] for path in document["paths"].values() for each in path.values())
    assert [name for name, count in names.items() if count > 1] == []


EMPTY = {("DELETE /oauth2/register/{client_id}", "204"), ("POST /oauth2/revoke", "200")}
"""What answers without a body (RFC 7592 section 2.3, RFC 7009 section 2.2)."""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_reads_well(document):
    tags = {each["name"] for each in document["tags"]}
    for name, operation in operations(document):
        assert set(operation["tags"]) <= tags, name
        assert operation["tags"], name
        assert not operation["summary"].istitle() or " " not in operation["summary"], f"{name}: FastAPI made it up"
        assert operation["description"].endswith((".*",)), name


def test_every_failure_is_a_problem_document(document):
    seen = 0
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) < 400 or status == "425" or (name, status) == ("GET /ready", "503"):
                continue
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, (name, status)
            seen += 1
    assert seen > 200
    assert "HTTPValidationError" not in str(document)


def test_every_success_says_what_comes_back(document):
    for name, operation in operations(document):
        answers = {each: answer for each, answer in operation["responses"].items() if each.startswith("2")}
        contents = [answer["content"] for status, answer in answers.items() if (name, status) not in EMPTY]
        schemas = [kind["schema"] for content in contents for kind in content.values()]
        assert all(schemas), name


@pytest.mark.parametrize(
    ("variables", "cookie", "header"),
    [
        ({}, "latchpin-session-4444", None),
        (
            {"BASE_URL": "https://gateway.example.com", "AUTH_ENCRYPTION_SECRET": "x" * 40},
            "__Host-latchpin-session",
            None,
        ),
        ({"TRUSTED_USER_HEADER": "X-Email", "TRUSTED_PROXIES": "127.0.0.1"}, "latchpin-session-4444", "X-Email"),
    ],
    ids=["as it comes", "https", "behind a proxy"],
)
def test_the_ways_to_be_known_have_the_names_of_the_settings(monkeypatch, request, variables, cookie, header):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    document = request.getfixturevalue("document")
    schemes = document["components"]["securitySchemes"]
    assert schemes["session"]["name"] == cookie
    assert schemes.get("proxy", {}).get("name") == header
    named = {name for _, operation in operations(document) for way in operation.get("security", ()) for name in way}
    assert named == schemes.keys()


def test_the_hot_path_is_described_and_stays_hot(document):
    paths = {"/oauth/authorize/{gateway_id}", "/oauth/callback", "/oauth/callback/{gateway_id}"}
    assert paths <= document["paths"].keys()
    app = create_app()
    tear_down_logging()
    hot = [route for route in app.routes if getattr(route, "path", "") in paths]
    assert len(hot) == 6
    assert {type(route) for route in hot} == {HotRoute}


def test_a_gateway_is_answered_with_every_setting_that_it_has():
    secrets = {"client_secret", "assertion", "identity_provider_client_secret"}
    settings = {field.name for field in fields(OAuthConfig)}
    assert secrets < settings
    assert GatewayConfig.model_fields.keys() == (settings - secrets) | {f"{name}_set" for name in secrets}


def test_the_body_of_a_gateway_is_described_to_its_last_key():
    schema = whole_schema(GatewayBody)
    assert not list(references(schema))
    inner = schema["properties"]["oauth_config"]["anyOf"][0]
    assert inner["properties"]["assume_pkce"]["anyOf"][0]["type"] == "boolean"
