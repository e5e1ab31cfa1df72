"""Each provider of the table as it documents itself: what it asks for, how it answers, how it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.known_providers.imitation import Imitation, Refused, Tokens

__all__ = ["IMITATIONS", "GitHub", "Slack"]


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
