"""What ``/openapi.json`` says: FastAPI's description of the routes, and what FastAPI cannot know of them.

FastAPI sees arguments and answers. Added are the failures, which have one shape; what an operation needs of its
caller, in words; the hot path, which FastAPI does not serve; and the names that the settings give to cookie and header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from latchpin.identity.sessions import session_cookie_name
from latchpin.settings.core import CoreSettings
from latchpin.web.dependencies import ADMINISTRATOR
from latchpin.web.documents.base import Problem

__all__ = ["FOR_ADMINISTRATORS", "HTML", "describe_api", "problems", "redirect"]

HTML: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
"""The content of an answer that is a page for who accepts ``text/html``."""

FOR_ADMINISTRATORS = [{name: [ADMINISTRATOR]} for name in ("bearer", "session", "proxy")]
"""The security requirement of an operation that asks by itself who it is, and serves administrators."""

PROBLEM = {"$ref": "#/components/schemas/Problem"}

TAGS = [
    ("authorization", "A person's authorization of a gateway, in the browser."),
    ("connections", "Who is connected to what, and the tools behind it."),
    ("people", "Who is out: people of whom everything was ended."),
    ("gateways", "The MCP servers behind this gateway, and how each does OAuth."),
    ("registered clients", "What authorization servers registered for this gateway."),
    ("flows", "What happened in each authorization, step by step."),
    ("metadata", "Documents that other servers and clients read."),
    ("tokens", "The authorization server, for MCP clients themselves: OAuth 2.1."),
    ("applications", "What may use MCP servers as whom, and how that ends."),
    ("operation", "For who runs the gateway."),
]

_ALWAYS = (400, 413, 414, 431, 500, 503)
"""What any request may get: of a wrong shape or size, an error that nobody foresaw, a store that does not answer."""

_WHY = {
    400: "The request does not hold.",
    401: "Nobody says who is asking, or it does not hold.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    409: "It contradicts what is there.",
    413: "The body is too large.",
    414: "The URL is too long.",
    422: "An argument is missing or not valid.",
    425: "The browser asks in advance: nothing happens until somebody really goes there.",
    429: "Too much at once.",
    431: "The headers are too large.",
    500: "Something failed that nobody foresaw; the log has it by the request's id.",
    502: "Another server's answer is not usable.",
    503: "A store does not answer, or this is switched off.",
    504: "Another server does not answer in time.",
}

_METHODS = ("get", "post", "put", "delete")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures of an operation: problem documents, or pages for who accepts ``text/html``."""
    return {status: _problem(status) for status in statuses}


def redirect(description: str) -> dict[str, Any]:
    """An answer that sends the browser elsewhere."""
    return {"description": description, "headers": {"location": {"schema": {"type": "string"}}}}


def describe_api(app: FastAPI, settings: CoreSettings, routers: Iterable[APIRouter], paths: Mapping[str, Any]) -> None:
    """Let ``app.openapi()`` give the whole description, made at its first use.

    Args:
        app: serves it.
        settings: name the session cookie and the proxy's header.
        routers: have the routes; an operation is called as its route is.
        paths: the operations of routes that FastAPI does not serve, as the description has them.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = FastAPI(generate_unique_id_function=lambda route: route.name)
            for router in routers:
                described.include_router(router)
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=_INTRODUCTION,
                routes=described.routes,
                tags=[{"name": name, "description": text} for name, text in TAGS],
                servers=[{"url": settings.base_path}] if settings.base_path else None,
            )
            app.openapi_schema = _complete(document, settings, paths)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


_INTRODUCTION = """\
Every failure is a problem document (RFC 9457) with `cause` and `remedy`; who accepts `text/html` gets a page instead.

A caller is known by one of the ways under *Authorize*. Two that disagree are refused."""


def _complete(document: dict[str, Any], settings: CoreSettings, paths: Mapping[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape, which nothing here answers in
        components["schemas"].pop(unused, None)
    document["paths"] = dict(
        sorted({**document["paths"], **deepcopy(dict(paths))}.items())
    )  # each application completes its own
    schemes = _name_schemes(components.get("securitySchemes", {}), settings)
    for item in document["paths"].values():
        for method in _METHODS:
            if method in item:
                _complete_operation(method, item[method], schemes)
    return document


def _name_schemes(schemes: dict[str, Any], settings: CoreSettings) -> Iterable[str]:
    """Give the ways to be known the names that the settings give them; leave out the one that is switched off."""
    if "session" in schemes:
        schemes["session"]["name"] = session_cookie_name(settings.base_url)
    if settings.trusted_user_header:
        schemes["proxy"]["name"] = settings.trusted_user_header
    else:
        schemes.pop("proxy", None)
    return schemes.keys()


def _complete_operation(method: str, operation: dict[str, Any], schemes: Iterable[str]) -> None:
    security = [each for each in operation.get("security", ()) if each.keys() <= set(schemes)]
    answers: dict[str, Any] = operation["responses"]
    if "422" in answers and "HTTPValidationError" in str(answers["422"]):
        answers["422"] = _problem(422)
    if security:
        operation["security"] = security
        answers.setdefault("401", _problem(401))
        answers.setdefault("403", _problem(403))
        if method == "get":
            answers.setdefault("303", redirect("To `/login`, for a browser in which nobody is signed in."))
    for status in _ALWAYS:
        answers.setdefault(str(status), _problem(status))
    operation["responses"] = dict(sorted(answers.items()))
    operation["description"] = f"{operation.get('description', '')}\n\n*{_who(security)}*".strip()


def _who(security: list[dict[str, list[str]]]) -> str:
    if not security:
        return "For everybody."
    return (
        "For administrators."
        if ADMINISTRATOR in next(iter(security[0].values()))
        else "For everybody who is signed in."
    )


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": _WHY.get(status, HTTPStatus(status).phrase),
        "content": {"application/problem+json": {"schema": PROBLEM}, **HTML},
    }
