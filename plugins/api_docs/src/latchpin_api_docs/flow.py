"""The description of the hot path: authorize and callback, which are plain routes that FastAPI does not see."""

from __future__ import annotations

from typing import Any, Literal

from latchpin.sdk.gateway import LONGEST_LABEL
from latchpin.sdk.web import ACCOUNT, Document, Id, problems
from pydantic import TypeAdapter

__all__ = ["FLOW_PATHS", "redirect"]


class AuthorizationCompleted(Document):
    """Whose account was connected to what."""

    success: Literal[True]
    message: str
    gateway_id: Id
    gateway_name: str
    app_user_email: str
    account: str
    shared: bool
    flow_id: Id


_GATEWAY_ID: dict[str, Any] = {
    "name": "gateway_id",
    "in": "path",
    "required": True,
    "schema": TypeAdapter(Id).json_schema(),
}
_ACCOUNT: dict[str, Any] = {
    "name": ACCOUNT,
    "in": "query",
    "required": False,
    "description": "The label of one more account of the caller's at this server, 1 to 40 printable characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_LABEL},
}
_IN_ADVANCE = {"description": "The browser asks in advance: nothing happens until somebody really goes there."}
_ANSWER = (
    ("state", "The value that the authorization request had."),
    ("code", "The authorization code."),
    ("iss", "The authorization server's issuer (RFC 9207)."),
    ("error", "Why there is no code (RFC 6749 section 4.1.2.1)."),
    ("error_description", "The same in the server's own words."),
)


def redirect(description: str) -> dict[str, Any]:
    """An answer that sends the browser elsewhere."""
    return {"description": description, "headers": {"location": {"schema": {"type": "string"}}}}


def _failures(*statuses: int) -> dict[str, Any]:
    return {str(status): answer for status, answer in problems(*statuses).items()}


_AUTHORIZE: dict[str, Any] = {
    "tags": ["authorization"],
    "summary": "Begin an authorization",
    "description": "Sends the caller's browser to the gateway's authorization server, which sends it to the callback.",
    "operationId": "authorize",
    "parameters": [_GATEWAY_ID, _ACCOUNT],
    "security": [{"bearer": []}, {"session": []}, {"proxy": []}],
    "responses": {
        "200": {
            "description": "For who accepts `text/html`, where all use one account: the page that asks whether to "
            "connect it.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        },
        "302": redirect("To the authorization server's authorization endpoint (RFC 6749 section 4.1.1)."),
        "425": _IN_ADVANCE,
        **_failures(400, 403, 404, 429, 502, 504),
    },
}
_CONFIRMED: dict[str, Any] = {
    **_AUTHORIZE,
    "summary": "Begin an authorization that was confirmed",
    "description": "What the page sends that asks whether to connect the account that all of a gateway use. It needs "
    "the token of the page's form, unless the caller sends a bearer token.",
    "operationId": "authorize_confirmed",
    "responses": {
        **_AUTHORIZE["responses"],
        "200": {
            "description": "For who accepts `text/html`: a page that leads to the authorization server.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        },
    },
}


def _callback(name: str, *, with_gateway: bool) -> dict[str, Any]:
    query = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in _ANSWER
    ]
    return {
        "tags": ["authorization"],
        "summary": "Complete an authorization" + (", with the gateway in the path" if with_gateway else ""),
        "description": "Where the authorization server sends the browser back. The browser that began is known by its "
        "cookie.",
        "operationId": name,
        "parameters": [_GATEWAY_ID, *query] if with_gateway else query,
        "responses": {
            "200": {
                "description": "It is done, for who accepts `application/json` only.",
                "content": {"application/json": {"schema": AuthorizationCompleted.model_json_schema()}},
            },
            "303": redirect("It is done: to the page that says so."),
            "425": _IN_ADVANCE,
            **_failures(401, 403, 404, 429, 502, 504),
        },
    }


def _posted(name: str, *, with_gateway: bool) -> dict[str, Any]:
    return {
        "tags": ["authorization"],
        "summary": "Hear why a posted answer completes nothing"
        + (", with the gateway in the path" if with_gateway else ""),
        "description": "The authorization server has to answer in the query (`response_mode=query`).",
        "operationId": name,
        "parameters": [_GATEWAY_ID] if with_gateway else [],
        "responses": _failures(400),
    }


FLOW_PATHS: dict[str, Any] = {
    "/oauth/authorize/{gateway_id}": {"get": _AUTHORIZE, "post": _CONFIRMED},
    "/oauth/callback": {
        "get": _callback("callback", with_gateway=False),
        "post": _posted("callback_by_post", with_gateway=False),
    },
    "/oauth/callback/{gateway_id}": {
        "get": _callback("callback_of_gateway", with_gateway=True),
        "post": _posted("callback_of_gateway_by_post", with_gateway=True),
    },
}
"""Path to operations, as an OpenAPI document has them."""
