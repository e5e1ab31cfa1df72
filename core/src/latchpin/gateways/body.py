"""The API body that creates or changes a gateway: what is allowed, and errors that say what is wrong.

A key that is absent differs from one that is null: absent keeps what is there (or the default, when
creating), null clears it. Keys that only we set may come back in a body that was read before; they are
checked where they could contradict, and otherwise ignored.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    ValidationError,
)
from pydantic_core import ErrorDetails

from latchpin.errors import InvalidRequest
from latchpin.model import GROUP, write_group
from latchpin.model.address import check_email
from latchpin.model.gateway import OAUTH_SECRETS
from latchpin.model.urls import check_url
from latchpin.oauth.authorize import check_extra_parameters
from latchpin.oauth.scopes import LONGEST_SCOPE, is_scope
from latchpin.settings import mask

__all__ = ["AllowedUsers", "ApiKeyBody", "GatewayBody", "OAuthConfigBody", "parse_gateway_body"]

_SHOWN = 80


# -- single values ------------------------------------------------------------------------------------


def _check_url(value: str) -> str:
    """An absolute http or https URL that names a server, and nobody and no place inside a page."""
    text = value.strip()
    if any(char in '<>"^`{|}' for char in text):
        raise ValueError("must be a URL in ASCII without blanks or control characters")
    check_url(text)
    if "#" in text:
        raise ValueError("must not contain a fragment (#)")
    return text


def _check_issuer(value: str) -> str:
    text = _check_url(value)
    if "?" in text:
        raise ValueError("must not contain a query (RFC 8414 section 2)")
    return text


def _check_resource(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21\x24-\x3B\x3D\x3F-\x5B\x5D\x5F\x61-\x7A\x7E%]+", value):
        raise ValueError("must be an absolute URI without fragment (RFC 8707 section 2)")
    return value


def _check_redirect_uri(value: str) -> str:
    _check_url(value.replace("{gateway_id}", "gateway_id"))
    return value.strip()


def _check_user(value: str) -> str:
    text = value.strip()
    if text.startswith(GROUP):
        return _check_group(text)
    if not re.fullmatch(r"(\*|[^\s@*,]+)@[^\s@*,]+", text):
        raise ValueError("must be an address (a@example.com), a whole domain (*@example.com) or a group (group:staff)")
    return check_email(text)  # what nobody has as an address would let nobody in, and deny nobody anything


def _check_group(text: str) -> str:
    name = unquote(text.removeprefix(GROUP))
    if write_group(name) is None or "\ufffd" in name:
        raise ValueError("must have a group's name behind 'group:', with %20 for a blank in it")
    return f"{GROUP}{write_group(name)}"


def _check_scope(value: str) -> str:
    if not is_scope(value):
        raise ValueError("must be a scope: visible ASCII without blank, quote or backslash (RFC 6749 section 3.3)")
    return value


def _check_file_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}", value):
        raise ValueError("must be the bare name of a file in ASSERTION_FOLDER")
    return value


def _check_name(value: str) -> str:
    text = value.strip()
    if not text or not text.isprintable():
        raise ValueError("must have a visible character and no control characters")
    return text


def _check_params(value: dict[str, str]) -> dict[str, str]:
    check_extra_parameters(value)
    return value


def _words(value: Any) -> Any:  # noqa: ANN401  whatever JSON held
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _scopes(value: Any) -> Any:  # noqa: ANN401  whatever JSON held
    return value.split() if isinstance(value, str) else value


Text = Annotated[str, Field(strict=True, min_length=1, max_length=2048)]
Visible = Annotated[Text, Field(pattern=r"^[\x20-\x7E]+$")]
Url = Annotated[Text, AfterValidator(_check_url), Field(json_schema_extra={"format": "uri"})]
Issuer = Annotated[Text, AfterValidator(_check_issuer), Field(json_schema_extra={"format": "uri"})]
Scope = Annotated[str, Field(strict=True, max_length=LONGEST_SCOPE), AfterValidator(_check_scope)]
User = Annotated[str, Field(strict=True, max_length=320), AfterValidator(_check_user)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=16_384)]
AllowedUsers = Annotated[list[User], BeforeValidator(_words), Field(max_length=1000)]
"""Who may use something, as a list or as words with blanks or commas between them."""
Param = Annotated[str, Field(strict=True, max_length=1024)]


# -- the body -----------------------------------------------------------------------------------------


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """The keys that were in the body, with what they hold."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class OAuthConfigBody(_Body):
    """``oauth_config``. With nothing in it, everything is discovered."""

    grant_type: Visible | None = None
    client_id: Visible | None = None
    client_secret: Secret | None = None
    issuer: Issuer | None = None
    authorization_url: Url | None = None
    token_url: Url | None = None
    redirect_uri: Annotated[Text, AfterValidator(_check_redirect_uri)] | None = None
    scopes: Annotated[list[Scope], BeforeValidator(_scopes), Field(max_length=200)] | None = None
    resource: Annotated[Text, AfterValidator(_check_resource)] | None = None
    omit_resource: StrictBool | None = None
    audience: Visible | None = None
    token_endpoint_auth_method: Visible | None = None
    extra_authorize_params: (
        Annotated[dict[Param, Param], AfterValidator(_check_params), Field(max_length=50)] | None
    ) = None
    scope_separator: Literal[" ", ",", ";", "|", "+"] | None = None
    assume_pkce: StrictBool | None = None
    provider: Visible | None = None
    dpop: StrictBool | None = None

    assertion: Secret | None = None
    assertion_file: Annotated[Text, AfterValidator(_check_file_name)] | None = None
    identity_provider: Issuer | None = None
    identity_provider_token_url: Url | None = None
    identity_provider_client_id: Visible | None = None
    identity_provider_client_secret: Secret | None = None
    client_secret_set: bool | None = Field(None, description="Only read.")
    assertion_set: bool | None = Field(None, description="Only read.")
    identity_provider_client_secret_set: bool | None = Field(None, description="Only read.")


class ApiKeyBody(_Body):
    """``api_key``: where keys go, which the scheme that ``auth_type`` names judges. A key is never part of an entry."""

    header: Annotated[str, Field(strict=True, max_length=100)] | None = Field(
        None, description="The field that the key goes in; without one, Authorization."
    )
    prefix: Annotated[str, Field(strict=True, max_length=64)] | None = Field(
        None, description='What stands before the key there; without one, "Bearer " in Authorization, else nothing.'
    )


class GatewayBody(_Body):
    """The body of ``POST /gateways`` (``url`` is needed) and ``PUT /gateways/{gateway_id}``."""

    name: Annotated[str, Field(strict=True, max_length=200), AfterValidator(_check_name)] | None = None
    url: Url | None = None
    auth_type: Annotated[str, Field(strict=True, pattern=r"^[a-z0-9_-]{1,32}$")] | None = Field(
        None, description="oauth, none, or what a plugin offers, such as api_key."
    )
    connection: Literal["own", "shared"] | None = Field(
        None,
        description="Whose account is used: each person's own (the default), or one that an administrator connects.",
    )
    allowed_users: AllowedUsers | None = None
    oauth_config: OAuthConfigBody | None = None
    api_key: ApiKeyBody | None = None
    pinned_issuer: Issuer | None = Field(None, description="The issuer to trust; null forgets it.")
    revision: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="If given, the change holds only for that revision."
    )
    id: str | None = Field(None, description="Only read.")
    created_at: str | None = Field(None, description="Only read.")
    updated_at: str | None = Field(None, description="Only read.")


def parse_gateway_body(document: object) -> GatewayBody:
    """Parse the JSON body of a gateway.

    Raises:
        InvalidRequest: names every key that is wrong, what it holds (secrets masked) and what is allowed.
    """
    if not isinstance(document, dict):
        raise InvalidRequest('the body must be a JSON object such as {"url": "https://mcp.example.com/mcp"}')
    try:
        return GatewayBody.model_validate(document)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
    lines = list(dict.fromkeys(_explain(error) for error in errors[:10]))
    raise InvalidRequest("; ".join(lines)) from None


def _explain(error: ErrorDetails) -> str:
    path = [part if part.isprintable() else ascii(part) for part in (str(part)[:_SHOWN] for part in error["loc"])]
    # Some parts are pydantic's own names: of a validator's branch, or of a dictionary's key.
    shown = ".".join(part for part in path if part != "[key]" and not part.startswith("function-"))
    if error["type"] == "extra_forbidden":
        return f"{shown} is not a key{_near_miss(path)}"
    held = "**********" if _may_be_secret(path) else _cut(error.get("input"))
    if error["type"] in {"model_type", "dict_type"}:
        return f"{shown} holds {held}: must be a JSON object"
    return f"{shown} holds {held}: {error['msg'].removeprefix('Value error, ')}"


def _may_be_secret(path: list[str]) -> bool:
    """Somebody may take a key of the document for the place of the secret itself."""
    return bool(set(OAUTH_SECRETS) & set(path)) or path[0] == "api_key"


def _near_miss(path: list[str]) -> str:
    model = GatewayBody if len(path) == 1 else ApiKeyBody if path[0] == "api_key" else OAuthConfigBody
    other = OAuthConfigBody if model is GatewayBody else GatewayBody
    close = difflib.get_close_matches(path[-1], model.model_fields, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    if path[-1] in other.model_fields:
        return f" here; it belongs {'into oauth_config' if other is OAuthConfigBody else 'beside oauth_config'}"
    known = ", ".join(name for name, field in model.model_fields.items() if field.description != "Only read.")
    return f"; known are {known}"


def _cut(value: object) -> str:
    text = ascii(mask(value) if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
