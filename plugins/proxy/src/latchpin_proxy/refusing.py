"""How a call is answered that could not be passed on: as a problem over HTTP, or in the words of the protocol.

What the caller's person can mend is told so that their program gets them there: see ``telling.choose``.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse, Response
from latchpin.errors import (
    AuthorizationRequired,
    BackendUnavailable,
    IdentityAssertionRequired,
    LatchpinError,
    NotSignedIn,
    SharedConnectionMissing,
)
from latchpin.model import VIA_ACCESS_TOKEN, Caller
from latchpin.sdk.gateway import Application, wants_key
from latchpin.sdk.outbound import host_of
from latchpin.sdk.web import answer_program, build_challenge, read_header

from latchpin_proxy.asked import Asked, parse_asked
from latchpin_proxy.authorize_links import link_for
from latchpin_proxy.call import Call
from latchpin_proxy.completing import elicitation_id
from latchpin_proxy.errors import NameNotYours, NotYetAuthorized, ServerRefused, StepUpRequired
from latchpin_proxy.resource import endpoint_path
from latchpin_proxy.resuming import build_state
from latchpin_proxy.telling import INVALID_PARAMS, Way, build_asking, build_error, build_opening, build_result, choose

__all__ = ["Refusing", "is_told"]

Scope = MutableMapping[str, Any]

MOST_ROUNDS = 8
"""How often one request may come again before its person has authorized; official clients stop after ten."""


_FOR_CLIENTS = (
    "This URL is for MCP clients: enter it in yours. A program that cannot sign in sends "
    "'Authorization: Bearer <token>'."
)
"""What a person reads who opens the endpoint in a browser."""


class Refusing:
    """Answers what could not be passed on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._base_url = application.services.settings.base_url

    async def answer(
        self, error: LatchpinError, scope: Scope, caller: Caller | None, call: Call | None, headers: dict[str, str]
    ) -> Response:
        """The answer.

        Args:
            error: what happened.
            scope: the request's.
            caller: who asks, None if nobody is known.
            call: what they ask, None if it was not read.
            headers: what the answer has besides.
        """
        if isinstance(error, NameNotYours) and (named := parse_asked(error.body)) is not None:
            return self._refuse_name(error, scope, named, headers)
        if call is None or not is_told(error, call.request.caller):
            return self._problem(error, scope, caller, headers)
        asked = parse_asked(call.request.body)
        if asked is not None and not call.is_held:  # the state that it would bring again could not be read
            asked = replace(asked, opens_links=False)
        try:
            way, owed = await self._choose(error, asked, call)
        except BackendUnavailable as exc:
            return self._problem(exc, scope, caller, headers)
        if isinstance(error, AuthorizationRequired):
            error.authorize_url = link_for(
                self._base_url, call.request.gateway.id, call.terms.binder, call.request.caller.account or ""
            )
        if asked is None or way in {"sign-in", "refuse"}:
            error.status = HTTPStatus.UNAUTHORIZED if way == "sign-in" else _without_sign_in(error)
            return self._problem(error, scope, caller, headers)
        problem = json.loads(bytes(self._problem(error, scope, caller, {}).body))
        return JSONResponse(_build(way, asked, error, call, problem, owed=owed), headers=headers)

    def _refuse_name(self, error: NameNotYours, scope: Scope, asked: Asked, headers: dict[str, str]) -> Response:
        problem = json.loads(bytes(self._problem(error, scope, None, {}).body))
        told = build_error(asked, message=problem["detail"], data=problem, code=INVALID_PARAMS)
        return JSONResponse(told, headers=headers)

    async def _choose(self, error: LatchpinError, asked: Asked | None, call: Call) -> tuple[Way, str]:
        """The way, and the name of what the caller's person owes, where they were told of it."""
        gateway, caller = call.request.gateway, call.request.caller
        if not isinstance(error, AuthorizationRequired):
            return choose(asked, mends=False), ""
        if call.resumed is not None and isinstance(error, NotYetAuthorized):
            waits = call.resumed.agreed and call.resumed.rounds < MOST_ROUNDS
            return "ask" if waits else choose(asked, mends=False), ""
        wanted = error.scopes if isinstance(error, StepUpRequired) else None
        refusal = await self._application.note_refusal(gateway, caller, wanted=wanted)
        if call.resumed is not None:  # the person has authorized, and was refused all the same
            return choose(asked, mends=False), refusal.name
        way = choose(
            asked,
            session_opens_links=call.can_open_links,
            signs_in=call.signs_in and caller.via == VIA_ACCESS_TOKEN,
            sign_in_helps=refusal.may_help,
        )
        return way, refusal.name

    def _problem(self, error: LatchpinError, scope: Scope, caller: Caller | None, headers: dict[str, str]) -> Response:
        if isinstance(error, NotSignedIn) and error.remedy == NotSignedIn.remedy and not _has_token(scope):
            error.remedy = _FOR_CLIENTS
        if (challenge := self._challenge(error, scope, caller)) is not None:
            headers = {**headers, "www-authenticate": challenge}
        return answer_program(scope, error, base_url=self._base_url, headers=headers)

    def _challenge(self, error: LatchpinError, scope: Scope, caller: Caller | None) -> str | None:
        """Our own challenge for a 401, which always means: get another token for this endpoint."""
        if error.status != HTTPStatus.UNAUTHORIZED:
            return None
        refused = isinstance(error, NotSignedIn) and _has_token(scope)
        again = caller is not None and caller.via == VIA_ACCESS_TOKEN
        parameters = {"error": "invalid_token"} if refused or again else {}
        return build_challenge(self._base_url, endpoint_path(scope["path_params"]["gateway_id"]), **parameters)


def _has_token(scope: Scope) -> bool:
    return bool(read_header(scope, b"authorization"))


def is_told(error: LatchpinError, caller: Caller) -> bool:
    """Whether ``error`` is about what the MCP server thinks of the caller's token, and not of the caller."""
    if isinstance(error, IdentityAssertionRequired):  # another token from a company's server would bring the word
        return caller.via == VIA_ACCESS_TOKEN
    return isinstance(error, AuthorizationRequired | ServerRefused | SharedConnectionMissing)


def _without_sign_in(error: LatchpinError) -> int:
    return error.status if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.FORBIDDEN


def _build(
    way: Way, asked: Asked, error: LatchpinError, call: Call, problem: dict[str, Any], *, owed: str
) -> dict[str, Any]:
    url = error.authorize_url if isinstance(error, AuthorizationRequired) else ""
    why = _reason(error, call, problem)
    if way == "ask":
        rounds = 0 if call.resumed is None else call.resumed.rounds
        state = build_state(call.terms.binder, asked.method, asked.params, rounds=rounds)
        return build_asking(asked, message=why, url=url if call.resumed is None else None, state=state)
    if way == "open":
        return build_opening(asked, message=why, url=url, elicitation_id=elicitation_id(call.terms.binder, owed))
    if url:
        why += f" Open {url} in a browser, signed in as {call.request.caller.email}, and then try again."
    if way == "result":
        return build_result(asked, message=f"The tool did not run. {why}")
    return build_error(asked, message=why, data=problem)


def _reason(error: LatchpinError, call: Call, problem: dict[str, Any]) -> str:
    """Why it does not go on, in one sentence for people, with the server's name first."""
    gateway = call.request.gateway
    name = f"{gateway.name} ({host_of(gateway.url)})"
    if not isinstance(error, AuthorizationRequired):
        return f"{name}: {problem['detail'].rstrip('.')}. {problem['remedy']}"
    if isinstance(error, StepUpRequired):
        return f"{name} wants more rights than you have allowed."
    if wants_key(gateway):
        return (
            f"{name} no longer takes the key that was entered." if error.needs_reauth else f"{name} needs a key first."
        )
    if error.needs_reauth:
        return f"{name} no longer takes the authorization that you gave."
    return f"{name} needs your authorization first."
