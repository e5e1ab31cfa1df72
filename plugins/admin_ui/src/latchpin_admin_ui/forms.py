"""What people enter about a gateway: from form fields to the document that the API takes, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from latchpin.errors import InvalidRequest
from latchpin.model import Gateway, OAuthConfig

__all__ = [
    "ASSERTION_TEXTS",
    "PLAIN",
    "SECRETS",
    "TEXTS",
    "Text",
    "has_advanced",
    "parse_form",
    "show_gateway",
    "show_submitted",
]


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text in ``oauth_config``: its key, what people read, and what an empty one means."""

    key: str
    label: str
    empty: str


TEXTS = (
    Text("issuer", "Issuer", "Empty: the MCP server names it."),
    Text("client_id", "Client id", "Empty: the gateway gets one by itself where the server lets it."),
    Text("scopes", "Scopes", "With blanks between them. Empty: what the server asks for."),
    Text("resource", "Resource", "Empty: as the MCP server publishes it."),
    Text("audience", "Audience", "Empty: none is sent."),
    Text("authorization_url", "Authorization endpoint", "Empty: as the server's metadata says."),
    Text("token_url", "Token endpoint", "Empty: as the server's metadata says."),
    Text("redirect_uri", "Redirect URI", "Empty: the one of all gateways."),
)
ASSERTION_TEXTS = (
    Text("assertion_file", "File of the assertion", "Its name below ASSERTION_FOLDER, read at each use."),
    Text("identity_provider", "Identity provider", "The issuer that vouches for people. Empty: the settings'."),
    Text("identity_provider_token_url", "Its token endpoint", "Empty: as its metadata says."),
    Text("identity_provider_client_id", "Client id there", "Empty: the settings'."),
)
SECRETS = (
    Text("client_secret", "Client secret", "For private_key_jwt: the private key as PEM or JWK."),
    Text("assertion", "Assertion", "A signed JWT that vouches for this gateway."),
    Text("identity_provider_client_secret", "Client secret at the identity provider", "Empty: the settings'."),
)
PLAIN = frozenset({"issuer", "client_id", "scopes"})
"""Those of ``TEXTS`` that many enter; the others are folded away."""
_BESIDE = frozenset(
    {"name", "url", "auth_type", "connection", "allowed_users", "revision", "grant_type", "client_secret"}
    | {"api_key_header", "api_key_prefix", "api_key_bare"}
)
_REVISION = re.compile(r"[0-9]{1,18}")
_FLAGS = ("omit_resource", "assume_pkce", "dpop")
_ANSWERS = {"yes": True, "no": False}
_SEPARATORS = {"blank": " ", "comma": ",", "semicolon": ";", "bar": "|", "plus": "+"}


def parse_form(form: Mapping[str, str]) -> dict[str, Any]:
    """The document for ``parse_gateway_body``: an empty field clears, an empty secret keeps.

    Raises:
        InvalidRequest: an extra parameter is not ``name=value``.
    """
    auth_type = form.get("auth_type") or None
    document: dict[str, Any] = {
        "name": form.get("name", "").strip() or None,
        "url": form.get("url", "").strip() or None,
        "auth_type": auth_type,
        "allowed_users": form.get("allowed_users", ""),
    }
    if auth_type != "none" and "connection" in form:
        document["connection"] = form["connection"] or None
    if _REVISION.fullmatch(form.get("revision", "")):
        document["revision"] = int(form["revision"])
    if form.get("forget_issuer"):
        document["pinned_issuer"] = None
    if auth_type in {None, "oauth"} and "grant_type" in form:
        document["oauth_config"] = _parse_config(form)
    if auth_type not in {None, "oauth", "none"} and "api_key_header" in form:
        document["api_key"] = _parse_api_key(form)
    return document


def _parse_api_key(form: Mapping[str, str]) -> dict[str, Any]:
    """Where the key goes; blanks after the prefix are part of it."""
    prefix = "" if form.get("api_key_bare") else form.get("api_key_prefix") or None
    return {"header": form["api_key_header"].strip() or None, "prefix": prefix}


def _parse_config(form: Mapping[str, str]) -> dict[str, Any]:
    config: dict[str, Any] = {text.key: form.get(text.key, "").strip() or None for text in (*TEXTS, *ASSERTION_TEXTS)}
    config |= {
        "grant_type": form.get("grant_type") or None,
        "token_endpoint_auth_method": form.get("token_endpoint_auth_method") or None,
        "scope_separator": _SEPARATORS.get(form.get("scope_separator", "")),
        "provider": form.get("provider") or None,
        "extra_authorize_params": _parse_parameters(form.get("extra_authorize_params", "")),
    }
    config |= {flag: _ANSWERS.get(form.get(flag, "")) for flag in _FLAGS}
    for key in (secret.key for secret in SECRETS):
        if form.get(f"clear_{key}"):
            config[key] = None
        elif entered := form.get(key, ""):
            config[key] = entered
    return config


def _parse_parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise InvalidRequest(
                f"oauth_config.extra_authorize_params holds the line {line[:80]!a}: must be name=value"
            )
        found[name.strip()] = value.strip()
    return found


def show_gateway(gateway: Gateway) -> dict[str, str]:
    """The fields of the form as the gateway stands. A secret is never among them."""
    config = gateway.oauth or OAuthConfig()
    fields = {text.key: _shown(getattr(config, text.key)) for text in (*TEXTS, *ASSERTION_TEXTS)}
    fields |= {f"clear_{secret.key}": "" for secret in SECRETS}
    fields |= {flag: _answer(getattr(config, flag)) for flag in _FLAGS}
    names = {value: name for name, value in _SEPARATORS.items()}
    return fields | {
        "name": gateway.name,
        "url": gateway.url,
        "auth_type": gateway.auth_type,
        "connection": gateway.connection,
        "api_key_header": "" if gateway.api_key is None else gateway.api_key.header,
        "api_key_prefix": "" if gateway.api_key is None else gateway.api_key.prefix,
        "api_key_bare": "on" if gateway.api_key is not None and not gateway.api_key.prefix else "",
        "allowed_users": " ".join(gateway.allowed_users),
        "revision": str(gateway.revision),
        "grant_type": config.grant_type,
        "token_endpoint_auth_method": config.token_endpoint_auth_method or "",
        "provider": config.provider or "",
        "scope_separator": names[config.scope_separator] if config.scope_separator else "",
        "extra_authorize_params": "\n".join(f"{name}={value}" for name, value in config.extra_authorize_params.items()),
        "forget_issuer": "",
    }


def show_submitted(form: Mapping[str, str], gateway: Gateway) -> dict[str, str]:
    """The fields as they were submitted, to be corrected; without the secret, which is entered again."""
    fields = show_gateway(gateway)
    return {name: form.get(name, "") for name in fields} | {"revision": fields["revision"]}


def has_advanced(fields: Mapping[str, str], are_set: Collection[str]) -> bool:
    """Whether anything is entered in the folded part of the form: it is then shown.

    Args:
        fields: of ``show_gateway`` or ``show_submitted``.
        are_set: the keys of the secrets that are kept.
    """
    folded = fields.keys() - PLAIN - _BESIDE - {"clear_client_secret"}
    return any(fields[name] for name in folded) or any(name not in _BESIDE for name in are_set)


def _answer(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value or "")
