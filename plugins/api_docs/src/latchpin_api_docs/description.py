"""What ``/openapi.json`` says: FastAPI's description of the routes, and what FastAPI cannot know of them.

FastAPI sees arguments and answers. Added are the failures, which have one shape; what an operation needs of its
caller, in words; the hot path, which FastAPI does not serve; and the names that the settings give to cookie and header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from latchpin.sdk.identity import session_cookie_name
from latchpin.sdk.settings import CoreSettings
from latchpin.sdk.web import FOR_ADMINISTRATORS, HTML, Document, Id
from pydantic import Field

from latchpin_api_docs.flow import FLOW_PATHS, redirect

__all__ = ["describe_api"]

_PROBLEM_JSON = "application/problem+json"


class Problem(Document):
    """Why a request failed (RFC 9457)."""

    type: str = Field(description="The page of this cause.")
    title: str
    status: int
    detail: str
    cause: str = Field(description="The stable name of the cause.")
    remedy: str = Field(description="What to do about it.")
    documentation: str = Field(description="This cause in the list of all.")
    flow_id: Id | None = Field(None, description="The authorization that it belongs to, if it belongs to one.")
    request_id: Id | None = Field(None, description="The request's name in the log, where there is no flow.")
    flow_url: str | None = Field(None, description="Where the flow can be looked at. Left out where it is not kept.")
    authorize_url: str | None = Field(None, description="Only where the caller has to authorize: where to go.")


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


def describe_api(app: FastAPI, settings: CoreSettings) -> dict[str, Any]:
    """Describe what ``app`` serves.

    Args:
        app: has the routes; an operation is called as its route is.
        settings: name the session cookie and the proxy's header.
    """
    described = FastAPI(generate_unique_id_function=lambda route: route.name)
    described.include_router(app.router)
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=_INTRODUCTION,
        routes=described.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS],
        servers=[{"url": settings.base_path}] if settings.base_path else None,
    )
    return _complete(document, settings)


_INTRODUCTION = """\
Every failure is a problem document (RFC 9457) with `cause` and `remedy`; who accepts `text/html` gets a page instead.

A caller is known by one of the ways under *Authorize*. Two that disagree are refused."""


def _complete(document: dict[str, Any], settings: CoreSettings) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape, which nothing here answers in
        components["schemas"].pop(unused, None)
    flow = deepcopy(FLOW_PATHS)  # each application completes its own
    document["paths"] = dict(sorted({**document["paths"], **flow}.items()))
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
    if "HTTPValidationError" in str(answers.get("422")):
        answers["422"] = _problem(422)
    for code, answer in answers.items():
        content = answer.get("content", {})
        if _PROBLEM_JSON in content:
            answers[code] = _problem(int(code), besides=content)
    if security:
        operation["security"] = security
        answers.setdefault("401", _problem(401))
        answers.setdefault("403", _problem(403))
        if method == "get":
            answers.setdefault("303", redirect("To `/login`, for a browser in which nobody is signed in."))
    for always in _ALWAYS:
        answers.setdefault(str(always), _problem(always))
    operation["responses"] = dict(sorted(answers.items()))
    operation["description"] = f"{operation.get('description', '')}\n\n*{_who(security)}*".strip()


def _who(security: list[dict[str, list[str]]]) -> str:
    if not security:
        return "For everybody."
    return "For administrators." if security[0] in FOR_ADMINISTRATORS else "For everybody who is signed in."


def _problem(status: int, *, besides: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    return {
        "description": _WHY.get(status, HTTPStatus(status).phrase),
        "content": {**besides, _PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}, **HTML},
    }
