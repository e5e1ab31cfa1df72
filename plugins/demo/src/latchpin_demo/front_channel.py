"""The demo authorization server's endpoints for people: the authorization request, signing in, and consent."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from latchpin_demo.authorization_request import TellableRefusal, parse_authorization_request
from latchpin_demo.back_channel import parse_single
from latchpin_demo.pages import render, stylesheet
from latchpin_demo.state import SCOPES, InMemoryState, ReceivedRequest, Refusal

__all__ = ["PASSWORD", "USERS", "FrontChannel"]

USERS = ("alice@example.com", "bob@example.com")
PASSWORD = "correct-horse"  # noqa: S105  printed on the login page
_COOKIE = "latchpin_demo_accounts"

_Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Interaction:
    """An authorization request that waits for its user, bound to the browser session that began it."""

    request: ReceivedRequest
    session: str


class FrontChannel:
    """Answers people.

    Args:
        issuer: the server's issuer, a URL with a path and without a trailing slash.
        ledger: what the server remembers.
        resources: the known resource indicators; empty means any.
    """

    def __init__(self, issuer: str, ledger: InMemoryState, resources: Collection[str]) -> None:
        self._issuer = issuer
        self._path = urlsplit(issuer).path
        self._ledger = ledger
        self._resources = resources
        self._sessions: dict[str, str | None] = {}  # a browser, and who is signed in there
        self._interactions: dict[str, _Interaction] = {}

    def routes(self) -> list[Route]:
        """The routes, below the issuer's path."""
        page = f"{self._path}/interaction/{{id}}"
        return [
            Route(f"{self._path}/style.css", self._style),
            Route(f"{self._path}/authorize", self._answering(self._authorize)),
            Route(page, self._answering(self._show)),
            Route(f"{page}/login", self._answering(self._login), methods=["POST"]),
            Route(f"{page}/switch", self._answering(self._switch), methods=["POST"]),
            Route(f"{page}/consent", self._answering(self._consent), methods=["POST"]),
        ]

    def _answering(self, handler: _Handler) -> _Handler:
        """Turn a refusal into a page, or into an answer to the client where it may be told."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                facts = {"issuer": self._issuer, "error": refusal.error, "description": refusal.description}
                return render("problem.html", facts, status=refusal.status)
            except TellableRefusal as told:
                fields = {"error": told.refusal.error, "error_description": told.refusal.description}
                return self._tell_client(told.redirect_uri, told.state, **fields)

        return answer

    async def _style(self, _: Request) -> Response:
        return stylesheet()

    async def _authorize(self, request: Request) -> Response:
        query = parse_single(request.query_params)
        checked = parse_authorization_request(query, self._ledger.clients, self._resources)
        session = request.cookies.get(_COOKIE, "")
        if session not in self._sessions:
            session = secrets.token_urlsafe(32)
            self._sessions[session] = None
        name = secrets.token_urlsafe(16)
        self._interactions[name] = _Interaction(checked, session)
        return self._go_on(name, session)

    async def _show(self, request: Request) -> Response:
        name, interaction = self._find(request)
        user = self._sessions[interaction.session]
        if user is None:
            return self._login_page(name, interaction)
        asked = interaction.request
        facts = {
            "issuer": self._issuer,
            "action": f"{self._issuer}/interaction/{name}",
            "client_name": asked.client.name,
            "user": user,
            "resource": asked.resource,
            "redirect_uri": asked.redirect_uri,
            "permissions": [SCOPES[scope] for scope in asked.scopes],
        }
        return render("consent.html", facts, form_target=asked.redirect_uri)

    async def _login(self, request: Request) -> Response:
        name, interaction = self._find(request)
        form = parse_single(await request.form())
        email = form.get("email", "").strip().lower()
        if email not in USERS or not secrets.compare_digest(form.get("password", "").encode(), PASSWORD.encode()):
            return self._login_page(name, interaction, email=email, failed=True)
        self._sessions[interaction.session] = email
        return self._go_on(name, interaction.session)

    async def _switch(self, request: Request) -> Response:
        name, interaction = self._find(request)
        self._sessions[interaction.session] = None
        return self._go_on(name, interaction.session)

    async def _consent(self, request: Request) -> Response:
        """Answer the client with a code, or with ``access_denied``."""
        name, interaction = self._find(request)
        decision = parse_single(await request.form()).get("decision")
        user, asked = self._sessions[interaction.session], interaction.request
        if user is None:
            return self._login_page(name, interaction)
        del self._interactions[name]
        if decision == "allow":
            return self._tell_client(asked.redirect_uri, asked.state, code=self._ledger.put_code(asked, user))
        fields = {"error": "access_denied", "error_description": "The user said no."}
        return self._tell_client(asked.redirect_uri, asked.state, **fields)

    def _find(self, request: Request) -> tuple[str, _Interaction]:
        name = request.path_params["id"]
        interaction = self._interactions.get(name)
        if interaction is None:
            raise Refusal("invalid_request", "This page was answered already, or the server was restarted.")
        if not secrets.compare_digest(request.cookies.get(_COOKIE, "").encode(), interaction.session.encode()):
            raise Refusal("invalid_request", "This page was opened in another browser.", status=403)
        return name, interaction

    def _go_on(self, name: str, session: str) -> Response:
        response = RedirectResponse(f"{self._issuer}/interaction/{name}", status_code=303)
        response.set_cookie(_COOKIE, session, path=self._path, httponly=True, samesite="lax")
        return response

    def _login_page(self, name: str, interaction: _Interaction, *, email: str = "", failed: bool = False) -> Response:
        facts = {
            "issuer": self._issuer,
            "action": f"{self._issuer}/interaction/{name}",
            "client_name": interaction.request.client.name,
            "email": email,
            "failed": failed,
            "users": USERS,
            "password": PASSWORD,
        }
        return render("login.html", facts, status=401 if failed else 200)

    def _tell_client(self, redirect_uri: str, state: str | None, **fields: str) -> Response:
        """Send the browser back, with ``iss`` in success and failure alike (RFC 9207 section 2)."""
        if state is not None:
            fields["state"] = state
        query = urlencode(fields | {"iss": self._issuer})
        joint = "&" if urlsplit(redirect_uri).query else "?"
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(redirect_uri + joint + query, status_code=303, headers=headers)
