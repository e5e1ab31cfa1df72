"""The HTTP API, from what the gateway says at ``/openapi.json``, and its pages, from what their routes say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from latchpin.activity.logs import tear_down_logging
from latchpin.web.app import create_app

__all__ = ["documents", "endpoints", "pages", "routes"]

Schema = Mapping[str, Any]
_EVERYWHERE = {"303", "400", "413", "414", "422", "431", "500", "503"}
"""Statuses that the page says once for all endpoints."""


@cache
def _application() -> Any:
    try:
        return create_app()
    finally:
        tear_down_logging()


@cache
def _described() -> Schema:
    document: Schema = _application().openapi()
    return document


def endpoints() -> Iterator[str]:
    """Every endpoint under its group's heading."""
    for tag in _described()["tags"]:
        yield from (f"## {tag['name'].capitalize()}", "", tag["description"], "")
        for path, methods in _described()["paths"].items():
            for method, endpoint in methods.items():
                if tag["name"] in endpoint["tags"]:
                    yield from _endpoint(f"{method.upper()} {path}", endpoint)


def _endpoint(name: str, endpoint: Schema) -> Iterator[str]:
    description = endpoint["description"].replace("``", "`").replace("*For ", "For ").replace(".*", ".")
    yield from (f"### {name}", "", f"{endpoint['summary']}. {' '.join(description.split())}", "")
    asked = [each for each in endpoint.get("parameters", ()) if each["in"] == "query"]
    if asked:
        yield f"- Query: {'; '.join(_member(each['name'], each['schema'], each.get('description')) for each in asked)}"
    for body in endpoint.get("requestBody", {}).get("content", {}).values():
        yield f"- Body: {_type(body['schema'])}"
    for status, answer in endpoint["responses"].items():
        if status < "300":
            kinds = [_type(each["schema"]) for each in answer.get("content", {}).values() if "schema" in each]
            yield f"- {status}: {' or '.join(dict.fromkeys(kinds)) or answer['description']}"
    failures = [status for status in endpoint["responses"] if status >= "300" and status not in _EVERYWHERE]
    if failures:
        yield f"- Else: {', '.join(failures)}"
    yield ""


def documents() -> Iterator[str]:
    """Every document that endpoints answer, with its members."""
    for name, schema in _described()["components"]["schemas"].items():
        yield from (f"### {name}", "", f"{schema['description']}  ")
        members = schema.get("properties", {})
        yield from ("; ".join(_member(key, each, each.get("description")) for key, each in members.items()) + ".", "")


def _member(name: str, schema: Schema, description: str | None) -> str:
    text = f": {description.replace('``', '`').rstrip('.')}" if description else ""
    return f"`{name}` ({_type(schema)}){text}"


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{str(schema['const']).lower()}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kinds = {"string": "text", "integer": "number", "boolean": "true or false", "object": "object", "null": "null"}
    kind = kinds.get(schema.get("type", ""), schema.get("type", "anything"))
    return "time" if schema.get("format") == "date-time" else kind


def pages() -> Iterator[str]:
    """A row for each route that is a page."""
    yield from ("| path | what it is |", "|---|---|")
    described = {f"{method.upper()} {path}" for path, each in _described()["paths"].items() for method in each}
    for name, text in sorted(routes(), key=lambda each: (each[0].partition(" ")[2], each[0])):
        if name not in described:
            yield f"| `{name}` | {text} |"


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of each endpoint, with the first line that its code says."""
    for route in _flat(_application().routes):
        path = re.sub(r":\w+\}", "}", getattr(route, "path"))  # noqa: B009  routes of several kinds
        text = (getattr(getattr(route, "endpoint", None), "__doc__", None) or "").partition("\n")[0]
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD":
                yield f"{method} {path}", text.replace("``", "`") or "The API's description."


def _flat(found: Iterable[object]) -> Iterator[object]:
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from _flat(inner.routes)
