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


# Each provider of the table as it documents itself: what it asks for, how it answers, how it refuses.


def require_secret_in_body(fields: Mapping[str, str]) -> None:
    """The provider documents the secret as a parameter, and nothing else."""
    if "client_secret" not in fields:
        raise Refused("invalid_client", "client_secret is missing")


class Entra(Imitation):
    name = "entra"
    issuer_path = "/tenant/v2.0"
    scopes = ("api://app/read",)
    extra_metadata: Mapping[str, Any] = {"response_modes_supported": ["query", "fragment", "form_post"]}

    def check_authorization(self, query: Mapping[str, str]) -> None:
        if "resource" in query:
            raise Refused("invalid_request", "AADSTS901002: The 'resource' request parameter is not supported.")

    def check_token_request(self, request: Request, fields: Mapping[str, str]) -> None:
        self.check_authorization(fields)

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        return "offline_access" in query.get("scope", "").split()

    def failure(self, request: Request, refused: Refused) -> Response:
        answer = {"error": refused.error, "error_description": f"AADSTS70008: {refused.description}"}
        return JSONResponse({**answer, "error_codes": [70008], "trace_id": "0", "correlation_id": "0"}, 400)


class Google(Imitation):
    name = "google"
    issuer_path = ""
    lifetime = 3599

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        """The user has consented before: without ``prompt`` there is no second refresh token."""
        return query.get("access_type") == "offline" and query.get("prompt") == "consent"


class Slack(Imitation):
    name = "slack"
    authorize_path = "/oauth/v2/authorize"
    token_path = "/api/oauth.v2.access"
    scopes = ("channels:history", "chat:write")

    def check_authorization(self, query: Mapping[str, str]) -> None:
        if not set(query.get("user_scope", "").split(",")) <= set(self.scopes):
            raise Refused("invalid_scope")

    def granted(self, query: Mapping[str, str]) -> str:
        return query["user_scope"]

    def success(self, request: Request, tokens: Tokens) -> Response:
        user = {"id": "U1", "access_token": tokens.access, "refresh_token": tokens.refresh, "scope": tokens.scope}
        user |= {"token_type": "user", "expires_in": 43200}
        return JSONResponse({"ok": True, "app_id": "A1", "team": {"id": "T1"}, "authed_user": user})

    def failure(self, request: Request, refused: Refused) -> Response:
        own = {"invalid_grant": "invalid_refresh_token", "invalid_client": "bad_client_secret"}
        return JSONResponse({"ok": False, "error": own.get(refused.error, refused.error)})


class GitHub(Imitation):
    name = "github"
    issuer_path = "/login/oauth"
    authorize_path = "/login/oauth/authorize"
    token_path = "/login/oauth/access_token"
    scopes = ("repo", "read:org")
    expires = False

    def check_token_request(self, request: Request, fields: Mapping[str, str]) -> None:
        require_secret_in_body(fields)

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        return False

    def success(self, request: Request, tokens: Tokens) -> Response:
        scope = ",".join(tokens.scope.split())
        return self._answer(request, {"access_token": tokens.access, "scope": scope, "token_type": "bearer"})

    def failure(self, request: Request, refused: Refused) -> Response:
        own = {"invalid_grant": "bad_verification_code", "invalid_client": "incorrect_client_credentials"}
        facts = {"error": own.get(refused.error, refused.error), "error_description": refused.description}
        return self._answer(request, facts)

    def _answer(self, request: Request, facts: dict[str, str]) -> Response:
        if request.headers.get("accept") == "application/json":
            return JSONResponse(facts)
        return Response(urlencode(facts), media_type="application/x-www-form-urlencoded")


class FormGitHub(GitHub):
    """As it answers whoever does not ask for JSON."""

    def _answer(self, request: Request, facts: dict[str, str]) -> Response:
        return Response(urlencode(facts), media_type="application/x-www-form-urlencoded")


class Atlassian(Imitation):
    name = "atlassian"
    issuer_path = ""
    scopes = ("read:jira-work",)

    def check_authorization(self, query: Mapping[str, str]) -> None:
        if query.get("audience") != "api.atlassian.com" or query.get("prompt") != "consent":
            raise Refused("invalid_request", "audience and prompt are required")

    def check_token_request(self, request: Request, fields: Mapping[str, str]) -> None:
        if request.headers["content-type"] != "application/json":
            raise Refused("invalid_request", "the body is not JSON")
        require_secret_in_body(fields)

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        return "offline_access" in query["scope"].split()

    def failure(self, request: Request, refused: Refused) -> Response:
        said = {"error": refused.error, "error_description": "Unknown or invalid refresh token."}
        return JSONResponse(said, 403)


class Auth0(Imitation):
    name = "auth0"
    issuer_path = ""

    def reaches_api(self, query: Mapping[str, str]) -> bool:
        return query.get("audience") == self.mcp_url

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        return "offline_access" in query["scope"].split()


class Salesforce(Imitation):
    name = "salesforce"
    issuer_path = ""
    scopes = ("api",)
    lifetime = None

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        return "refresh_token" in query["scope"].split()


class Notion(Imitation):
    name = "notion"
    authorize_path = "/v1/oauth/authorize"
    token_path = "/v1/oauth/token"
    lifetime = None

    def check_authorization(self, query: Mapping[str, str]) -> None:
        if query.get("owner") != "user":
            raise Refused("invalid_request", "owner is required")

    def check_token_request(self, request: Request, fields: Mapping[str, str]) -> None:
        if request.headers["content-type"] != "application/json":
            raise Refused("invalid_request", "body failed validation")


class Linear(Imitation):
    name = "linear"
    authorize_path = "/oauth/authorize"
    token_path = "/oauth/token"
    lifetime = 86399

    def check_authorization(self, query: Mapping[str, str]) -> None:
        if not set(query.get("scope", "").split(",")) <= set(self.scopes):
            raise Refused("invalid_scope")


class Dropbox(Imitation):
    name = "dropbox"
    authorize_path = "/oauth2/authorize"
    token_path = "/oauth2/token"
    scopes = ("files.metadata.read",)
    lifetime = 14400

    def gives_refresh(self, query: Mapping[str, str]) -> bool:
        return query.get("token_access_type") == "offline"


class HubSpot(Imitation):
    name = "hubspot"
    authorize_path = "/oauth/authorize"
    token_path = "/oauth/v3/token"
    scopes = ("crm.objects.contacts.read",)
    lifetime = 1800

    def check_token_request(self, request: Request, fields: Mapping[str, str]) -> None:
        require_secret_in_body(fields)

    def failure(self, request: Request, refused: Refused) -> Response:
        own = {"invalid_grant": "BAD_REFRESH_TOKEN", "invalid_client": "BAD_CLIENT_ID"}
        said = {"error": refused.error, "error_description": refused.description}
        return JSONResponse({**said, "status": own.get(refused.error, "BAD_REQUEST")}, 400)


class Cognito(Imitation):
    name = "cognito"
    issuer_path = "/eu-west-1_pool"
    scopes = ("mcp/read",)
    extra_metadata: Mapping[str, Any] = {
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]
    }


IMITATIONS: tuple[type[Imitation], ...] = (
    Entra, Google, Slack, GitHub, FormGitHub, Atlassian, Auth0, Salesforce, Notion, Linear, Dropbox, HubSpot, Cognito,
)  # fmt: skip
