"""What every imitation of a provider does alike; each provider's own ways are in ``imitations.py``.

An imitation is an authorization server that consents by itself, and an MCP server that publishes where its tokens
come from. It answers as the provider documents, also when it refuses.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from latchpin_demo.loopback import bind, url_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.servers import serve_asgi

__all__ = ["CLIENT", "Imitation", "Refused", "Tokens", "serve_imitation"]

CLIENT = {"client_id": "our-client", "client_secret": "our-secret"}


@dataclass
class Refused(Exception):
    """The provider says no; how it says so is the imitation's to say."""

    error: str
    description: str = ""


@dataclass(frozen=True)
class Tokens:
    """What was issued in one answer; ``refresh`` is None if it was not asked for in the right way."""

    access: str
    refresh: str | None
    scope: str


@dataclass
class Imitation:
    """One provider.

    Attributes:
        origin: where it is.
        codes: what each code was asked for with: the authorization request's parameters.
        good: access tokens that the API takes.
        refreshable: living refresh tokens with the scope they were issued for.
    """

    origin: str
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    good: set[str] = field(default_factory=set)
    refreshable: dict[str, str] = field(default_factory=dict)

    name: ClassVar[str]
    issuer_path: ClassVar[str | None] = None  # None: it publishes no metadata
    authorize_path: ClassVar[str] = "/authorize"
    token_path: ClassVar[str] = "/token"
    scopes: ClassVar[tuple[str, ...]] = ("read", "write")
    extra_metadata: ClassVar[Mapping[str, Any]] = {"code_challenge_methods_supported": ["S256"]}
    lifetime: ClassVar[int | None] = 3600
    expires: ClassVar[bool] = True

    # -- each provider's own ----------------------------------------------------------------------------

    def check_authorization(self, query: Mapping[str, str]) -> None:
        """Raise Refused if the provider would."""

    def check_token_request(self, request: Request, fields: Mapping[str, str]) -> None:
        """Raise Refused if the provider would."""

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        """Whether this authorization request leads to a refresh token."""
        return True

    def reaches_api(self, query: Mapping[str, str]) -> bool:
        """Whether the token that this authorization request leads to is one that the API takes."""
        return True

    def granted(self, query: Mapping[str, str]) -> str:
        """The scopes that were granted, as the answer says it."""
        return query.get("scope", "")

    def success(self, request: Request, tokens: Tokens) -> Response:
        """The token endpoint's answer."""
        answer: dict[str, Any] = {"access_token": tokens.access, "token_type": "Bearer", "scope": tokens.scope}
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        if tokens.refresh is not None:
            answer["refresh_token"] = tokens.refresh
        return JSONResponse(answer)

    def failure(self, request: Request, refused: Refused) -> Response:
        """The token endpoint's refusal."""
        return JSONResponse({"error": refused.error, "error_description": refused.description}, 400)

    # -- for the test -----------------------------------------------------------------------------------

    @property
    def mcp_url(self) -> str:
        return f"{self.origin}/mcp"

    @property
    def entry(self) -> dict[str, Any]:
        """What an administrator enters for the gateway."""
        if self.issuer_path is not None:
            return dict(CLIENT)
        endpoints = {
            "authorization_url": self.origin + self.authorize_path,
            "token_url": self.origin + self.token_path,
        }
        return {**CLIENT, **endpoints, "scopes": list(self.scopes)}

    def end_access(self) -> None:
        """Access tokens that end have ended by now."""
        if self.expires:
            self.good.clear()

    def revoke(self) -> None:
        """The user takes everything back."""
        self.good.clear()
        self.refreshable.clear()
        self.codes.clear()

    # -- the protocol -----------------------------------------------------------------------------------

    def app(self) -> Starlette:
        routes = [
            Route(self.authorize_path, self._authorize),
            Route(self.token_path, self._token, methods=["POST"]),
            Route("/mcp", self._mcp, methods=["POST"]),
        ]
        if self.issuer_path is not None:
            routes += [
                Route("/.well-known/oauth-protected-resource/mcp", self._resource_metadata),
                Route(f"{self.issuer_path}/.well-known/openid-configuration", self._metadata),
            ]
        return Starlette(routes=routes)

    async def _mcp(self, request: Request) -> Response:
        return Response(status_code=401, headers={"www-authenticate": "Bearer"})

    async def _resource_metadata(self, request: Request) -> Response:
        return JSONResponse(
            {
                "resource": self.mcp_url,
                "authorization_servers": [f"{self.origin}{self.issuer_path}"],
                "scopes_supported": self.scopes,
            }
        )

    async def _metadata(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": f"{self.origin}{self.issuer_path}",
                "authorization_endpoint": self.origin + self.authorize_path,
                "token_endpoint": self.origin + self.token_path,
                "scopes_supported": ["openid", "offline_access"],
                **self.extra_metadata,
            }
        )

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        try:
            self.check_authorization(query)
        except Refused as exc:
            answer = {"error": exc.error, "error_description": exc.description, "state": query["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = query
            answer = {"code": code, "state": query["state"]}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        try:
            body = (await request.body()).decode()
            json_sent = request.headers["content-type"] == "application/json"
            fields = json.loads(body) if json_sent else dict(parse_qsl(body))
            self._check_client(request, fields)
            self.check_token_request(request, fields)
            return self.success(request, self._issue(fields))
        except Refused as exc:
            return self.failure(request, exc)

    def _check_client(self, request: Request, fields: Mapping[str, str]) -> None:
        login = base64.b64encode(f"{CLIENT['client_id']}:{CLIENT['client_secret']}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {login}" and fields.get("client_secret") != "our-secret":
            raise Refused("invalid_client")

    def _issue(self, fields: Mapping[str, str]) -> Tokens:
        if fields["grant_type"] == "refresh_token":
            scope = self.refreshable.pop(fields["refresh_token"], None)
            if scope is None:
                raise Refused("invalid_grant", "the refresh token is not known")
            return self._fresh(scope, refresh=True, good=True)
        query = self.codes.pop(fields["code"], None)
        if query is None:
            raise Refused("invalid_grant", "the code is not known")
        digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != query["code_challenge"]:
            raise Refused("invalid_grant", "the verifier is wrong")
        return self._fresh(self.granted(query), refresh=self.gives_refresh(query), good=self.reaches_api(query))

    def _fresh(self, scope: str, *, refresh: bool, good: bool) -> Tokens:
        tokens = Tokens(secrets.token_urlsafe(24), secrets.token_urlsafe(24) if refresh else None, scope)
        if good:
            self.good.add(tokens.access)
        if tokens.refresh is not None:
            self.refreshable[tokens.refresh] = scope
        return tokens


@contextlib.contextmanager
def serve_imitation(kind: type[Imitation]) -> Iterator[Imitation]:
    """Serve one on a free port."""
    with bind() as listener:
        imitation = kind(url_of(listener))
        with serve_asgi(imitation.app(), sock=listener):
            yield imitation
