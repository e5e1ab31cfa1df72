"""What the web framework raises, and what we do, brought to the one shape in which failures are answered."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from latchpin.errors import InvalidRequest, LatchpinError, NotFound
from latchpin.plugins.elsewhere import missing_behind
from latchpin.web.errors import answer
from latchpin.web.frame import frame_of_failure
from latchpin.web.traces import one_line

__all__ = ["install_errors"]

MAX_SHOWN_ERRORS = 10
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def install_errors(app: FastAPI) -> None:
    """Make ``app`` answer every failure in one shape.

    What nobody foresaw is not handled here: the guard answers and logs that.
    """
    app.add_exception_handler(LatchpinError, _on_latchpin_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


async def _answer(request: Request, error: LatchpinError, headers: Mapping[str, str] | None = None) -> Response:
    return answer(request, error, headers=headers, around=await frame_of_failure(request, error))


async def _on_latchpin_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, LatchpinError)  # noqa: S101  it is registered for these
    return await _answer(request, exc)


async def _on_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101
    cause = exc.__cause__
    if isinstance(cause, LatchpinError):  # raised while FastAPI read the body
        return await _answer(request, cause)
    error, headers = _from_status(request, exc), dict(exc.headers or {})
    error.logged = True  # nothing happened that the access line does not say
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return await _answer(request, error, headers)


def _from_status(request: Request, exc: HTTPException) -> LatchpinError:
    if exc.status_code == HTTPStatus.NOT_FOUND:
        base: str = request.app.state.services.settings.base_path
        if distribution := missing_behind(request.url.path.removeprefix(base)):
            return NotFound(
                f"this address comes with {distribution}, which is not installed",
                remedy=f"Install it: pip install {distribution}",
            )
        lists = "" if missing_behind("/openapi.json") else " /openapi.json lists every endpoint."
        return NotFound("no page or endpoint has this address", remedy=f"Check the address.{lists}")
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error = InvalidRequest(f"{request.method} is not allowed here", remedy=f"Use {_allowed(request)}.")
    else:
        error = InvalidRequest(str(exc.detail))
    error.status = exc.status_code
    return error


def _allowed(request: Request) -> str:
    """The methods of every route at this path: the first one alone, which the router names, is often not all."""
    bare = {name: request.scope[name] for name in ("type", "path", "root_path", "headers") if name in request.scope}

    def answers(method: str) -> bool:
        return any(route.matches({**bare, "method": method})[0] is Match.FULL for route in request.app.routes)

    return ", ".join(method for method in _METHODS if answers(method))


async def _on_validation_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)  # noqa: S101
    error = InvalidRequest("; ".join(_describe(item) for item in exc.errors()[:MAX_SHOWN_ERRORS]))
    error.status = HTTPStatus.UNPROCESSABLE_ENTITY
    error.logged = True
    return await _answer(request, error)


def _describe(item: Mapping[str, Any]) -> str:
    """Where and what, never the value: it may be a secret that was sent in a wrong place."""
    where = ".".join(str(part) for part in item.get("loc", ()))
    return one_line(f"{where}: {item.get('msg', 'not valid')}", 200)
