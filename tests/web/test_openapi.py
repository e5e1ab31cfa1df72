"""The API's description is whole: what it refers to is in it, and what every operation is called is one operation's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from latchpin.gateways.body import GatewayBody
from latchpin.logs import tear_down_logging
from latchpin.web.app import create_app
from latchpin.web.schemas import whole_schema

pytestmark = pytest.mark.needs("latchpin_dcr")


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The description with every plugin that is installed."""
    monkeypatch.setenv("LOG_FILE", "")
    app = create_app()
    tear_down_logging()
    return app.openapi()


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


def test_the_body_of_a_gateway_is_described_to_its_last_key():
    schema = whole_schema(GatewayBody)
    assert not list(references(schema))
    inner = schema["properties"]["oauth_config"]["anyOf"][0]
    assert inner["properties"]["assume_pkce"]["anyOf"][0]["type"] == "boolean"
