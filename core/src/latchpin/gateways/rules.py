"""What becomes of a gateway when it is created or changed: pure, from body and old value to new value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from latchpin.contracts import AuthScheme, Cipher, Grant
from latchpin.errors import InvalidRequest
from latchpin.gateways.body import GatewayBody, OAuthConfigBody
from latchpin.gateways.configured_secrets import with_secrets
from latchpin.gateways.grant_rules import check_grant
from latchpin.gateways.scheme_rules import change_place
from latchpin.model import NO_PROFILE, Caller, Gateway, OAuthConfig
from latchpin.model.gateway import OAUTH_SECRETS

__all__ = ["GatewayChange", "GatewayRules", "build_gateway", "change_gateway", "describe_gateway"]

_NAME_LIMIT = 200
_DEFAULTS = OAuthConfig()


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """What a body is judged by, beyond its own form.

    Attributes:
        base_url: BASE_URL; redirect URIs must lead there.
        auth_methods: the installed client authentication methods.
        providers: the names in the provider table.
        grants: those that need no browser, by ``grant_type``.
        auth_schemes: the installed ones, by ``auth_type``.
    """

    base_url: str
    auth_methods: Collection[str] = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
    providers: Collection[str] = ()
    grants: Mapping[str, Grant] = field(default_factory=dict)
    auth_schemes: Mapping[str, AuthScheme] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewayChange:
    """A changed gateway, and whether tokens made for the old one must go."""

    gateway: Gateway
    drops_tokens: bool


def build_gateway(
    body: GatewayBody,
    *,
    rules: GatewayRules,
    id: str,  # noqa: A002  the row's id, as everywhere
    now: datetime,
    cipher: Cipher,
) -> Gateway:
    """Build a new gateway. Without a name it is called by its URL; without more, everything is discovered.

    Raises:
        InvalidRequest: a key is missing or contradicts another; names it.
    """
    if body.url is None:
        raise InvalidRequest("url is missing", remedy='Send the MCP server\'s URL, as in {"url": "https://..."}.')
    bare = Gateway(
        id=id,
        name=_name_of(body.url),
        url=body.url,
        auth_type="oauth",
        allowed_users=(),
        oauth=None,
        pinned_issuer=None,
        revision=0,
        created_at=now,
        updated_at=now,
    )
    return change_gateway(bare, body, rules=rules, now=now, cipher=cipher).gateway


def change_gateway(
    gateway: Gateway, body: GatewayBody, *, rules: GatewayRules, now: datetime, cipher: Cipher
) -> GatewayChange:
    """Change a gateway: what is absent stays, null goes back to the default.

    A change of url, issuer, token_url or resource (or of the pinned issuer) drops the client secret, unless a
    new one comes with it, and every user's token: they were given for the old place. A new url or issuer also
    forgets the pinned issuer. A change of the identity provider drops the tokens that came on its word, and the
    secret that was meant for it. Keys go with a change of url, header or prefix: they were tried at the old place. A
    change of ``connection`` drops nothing: what people have rests, or what the company has serves nobody, until it is
    changed back or they end it.

    Raises:
        InvalidRequest: as for ``build_gateway``.
    """
    given = body.given()
    _refuse_contradictions(gateway, body)
    earlier = gateway.oauth or _DEFAULTS
    config = _change_config(earlier, body.oauth_config, gateway.id, rules) if "oauth_config" in given else earlier
    users = tuple(dict.fromkeys(body.allowed_users or ())) if "allowed_users" in given else gateway.allowed_users
    moved = replace(
        gateway,
        name=_changed_name(gateway, body),
        url=body.url or gateway.url,
        auth_type=body.auth_type or ("oauth" if "auth_type" in given else gateway.auth_type),
        allowed_users=users,
        connection=body.connection or ("own" if "connection" in given else gateway.connection),
        oauth=config,
        api_key=None,
        revision=gateway.revision + 1,
        updated_at=now,
    )
    if moved.auth_type == "none":
        if body.connection == "shared":
            raise InvalidRequest("connection is shared, and auth_type is none", remedy="Leave connection out.")
        moved = replace(moved, connection="own")
    if moved.auth_type != "oauth":
        return _without_oauth(gateway, moved, body, rules)
    moved = replace(moved, pinned_issuer=_changed_pin(gateway, moved, body))
    drops = _place_of(moved) != _place_of(gateway) or _trust_of(moved, gateway) != gateway.pinned_issuer
    config = with_secrets(config, earlier, body.oauth_config, gateway.id, cipher, moved=drops)
    check_grant(config, earlier, rules.grants)
    if moved.connection == "shared" and config.grant_type != "authorization_code":
        raise InvalidRequest(
            f"connection is shared, and nobody authorizes anything with {config.grant_type}",
            remedy="Leave connection out.",
        )
    vouched = config.identity_provider == earlier.identity_provider
    return GatewayChange(replace(moved, oauth=config), drops or not vouched or gateway.auth_type != "oauth")


def _without_oauth(gateway: Gateway, moved: Gateway, body: GatewayBody, rules: GatewayRules) -> GatewayChange:
    """The change where the server wants a key, or nothing."""
    keyed = moved.auth_type != "none"
    place = change_place(gateway, moved.auth_type, body, rules.auth_schemes) if keyed else None
    moved = replace(moved, oauth=None, pinned_issuer=None, api_key=place)
    drops = keyed and (moved.url, place) != (gateway.url, gateway.api_key)
    return GatewayChange(moved, drops or moved.auth_type != gateway.auth_type)


def _place_of(gateway: Gateway) -> tuple[str | None, ...]:
    """Where tokens and secrets of a gateway go: nothing given for one place is sent to another."""
    config = gateway.oauth or _DEFAULTS
    return (gateway.url, config.issuer, config.token_url, config.resource)


def _trust_of(changed: Gateway, gateway: Gateway) -> str | None:
    """The pinned issuer as far as it can change: pinning one where none was pinned is no change."""
    return None if gateway.pinned_issuer is None else changed.pinned_issuer


def _changed_pin(gateway: Gateway, changed: Gateway, body: GatewayBody) -> str | None:
    """The body's pin if it says something new, else the old one as long as url and issuer stay."""
    if "pinned_issuer" in body.model_fields_set and body.pinned_issuer != gateway.pinned_issuer:
        return body.pinned_issuer
    return gateway.pinned_issuer if _place_of(changed)[:2] == _place_of(gateway)[:2] else None


def _changed_name(gateway: Gateway, body: GatewayBody) -> str:
    """A new name if one is given, else the one there; one that was made from the URL follows it."""
    if body.name is not None and body.name != gateway.name:
        return body.name
    cleared = body.name is None and "name" in body.model_fields_set
    if cleared or gateway.name == _name_of(gateway.url):
        return _name_of(body.url or gateway.url)
    return gateway.name


def describe_gateway(gateway: Gateway, caller: Caller | None = None) -> dict[str, Any]:
    """A gateway as JSON, without secrets; for a caller who is no administrator, without the other users."""
    shown: dict[str, Any] = {
        "id": gateway.id,
        "name": gateway.name,
        "url": gateway.url,
        "auth_type": gateway.auth_type,
        "connection": gateway.connection,
        "allowed_users": list(gateway.allowed_users),
        "oauth_config": None if gateway.oauth is None else _describe_config(gateway.oauth),
        "api_key": None if gateway.api_key is None else asdict(gateway.api_key),
        "pinned_issuer": gateway.pinned_issuer,
        "revision": gateway.revision,
        "created_at": gateway.created_at.isoformat(),
        "updated_at": gateway.updated_at.isoformat(),
    }
    if caller is not None and not caller.is_admin:
        del shown["allowed_users"]
    return shown


def _describe_config(config: OAuthConfig) -> dict[str, Any]:
    shown: dict[str, Any] = {
        item.name: getattr(config, item.name) for item in fields(config) if item.name not in OAUTH_SECRETS
    }
    shown["scopes"] = list(config.scopes)
    shown["extra_authorize_params"] = dict(config.extra_authorize_params)
    return shown | {f"{name}_set": getattr(config, name) is not None for name in OAUTH_SECRETS}


def _name_of(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{host}{port}{parts.path.rstrip('/')}"[:_NAME_LIMIT]


def _refuse_contradictions(gateway: Gateway, body: GatewayBody) -> None:
    auth_type = body.auth_type or gateway.auth_type
    keyed = auth_type not in {"oauth", "none"}
    for name, part, wanted, wants in (
        ("oauth_config", body.oauth_config, auth_type == "oauth", "oauth"),
        ("api_key", body.api_key, keyed, "api_key"),
    ):
        if not wanted and part is not None and part.given():
            raise InvalidRequest(f"{name} is given, and auth_type is {auth_type}", remedy=f"Set auth_type to {wants}.")
    if body.id not in (None, gateway.id):
        raise InvalidRequest("id differs from the gateway's own", remedy="Leave id out; it is set here.")


def _change_config(
    earlier: OAuthConfig, body: OAuthConfigBody | None, gateway_id: str, rules: GatewayRules
) -> OAuthConfig:
    """Everything but the secret."""
    if body is None:
        return replace(_DEFAULTS, **{name: getattr(earlier, name) for name in OAUTH_SECRETS})
    values: dict[str, Any] = {}
    for name, value in body.given().items():
        if name.removesuffix("_set") in OAUTH_SECRETS:
            continue
        values[name] = tuple(value) if isinstance(value, list) else value
        if value is None:
            values[name] = getattr(_DEFAULTS, name)
    config = replace(earlier, **values)
    method = config.token_endpoint_auth_method
    if method is not None and method not in rules.auth_methods:
        raise InvalidRequest(
            f"oauth_config.token_endpoint_auth_method holds '{method}': must be one of {', '.join(rules.auth_methods)}"
        )
    if config.provider not in (None, NO_PROFILE, *rules.providers):
        names = ", ".join((*sorted(rules.providers), NO_PROFILE))
        raise InvalidRequest(f"oauth_config.provider holds '{config.provider}': must be one of {names}")
    if "redirect_uri" not in values:  # one kept from before BASE_URL changed is not this body's fault
        return config
    return replace(config, redirect_uri=_own_redirect_uri(config.redirect_uri, gateway_id, rules))


def _own_redirect_uri(redirect_uri: str | None, gateway_id: str, rules: GatewayRules) -> str | None:
    shared = f"{rules.base_url}/oauth/callback"
    own = f"{shared}/{gateway_id}"
    if redirect_uri is None or redirect_uri in (shared, own):
        return redirect_uri
    if redirect_uri == f"{shared}/{{gateway_id}}":
        return own
    raise InvalidRequest(
        f"oauth_config.redirect_uri holds '{redirect_uri[:200]}': must be {shared} or {shared}/{{gateway_id}}",
        remedy="Use one of those two, or correct BASE_URL.",
    )
