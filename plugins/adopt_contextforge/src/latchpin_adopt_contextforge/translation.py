"""What a gateway of ContextForge is in Latchpin: its entry, who may use it, and whose client and key go with it. Pure.

It raises ``LeftOut`` for what cannot be the same here. Nobody may ever use more here than there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import is_id
from latchpin.sdk.identity import parse_email

from latchpin_adopt_contextforge.report import LeftOut
from latchpin_adopt_contextforge.sealing import Opener, Unopened
from latchpin_adopt_contextforge.source import Source, SourceClient, SourceGateway

__all__ = ["Translated", "id_here", "resource_of", "same_issuer", "translate"]

_HTTP = "STREAMABLEHTTP"
_LONGEST_NAME = 200
_GRANTS = ("authorization_code", "client_credentials")
_KNOWN = frozenset(
    {
        *("grant_type", "client_id", "client_secret", "issuer", "authorization_url", "token_url", "redirect_uri"),
        *("scopes", "scope", "resource", "omit_resource", "audience", "token_endpoint_auth_method", "private_key"),
        *("dcr_available", "endpoints_discovered", "jwks_uri", "scopes_supported", "authorization_servers"),
    }
)
"""What of ``oauth_config`` is taken over, or means nothing here."""
_BY_HAND = "Enter it by hand: latchpin gateways add URL."


@dataclass(frozen=True, slots=True)
class Translated:
    """A gateway as it would be entered here.

    Attributes:
        id: the same as there.
        body: what ``parse_gateway_body`` takes; a client secret in it is open.
        client: what was registered for it, None if it has none or an entered one.
        client_id: with which its tokens were issued.
        key: what all its users send to its server.
        notes: what of it is not taken over.
    """

    id: str
    body: Mapping[str, Any] = field(repr=False)
    client: SourceClient | None = None
    client_id: str | None = None
    key: str | None = field(repr=False, default=None)
    notes: tuple[str, ...] = ()


def translate(gateway: SourceGateway, source: Source, opener: Opener) -> Translated:
    """Say what a gateway is here.

    Raises:
        LeftOut: it cannot be the same here.
        SourceUnreadable: as ``Opener.open`` does.
    """
    _check_kind(gateway)
    body: dict[str, Any] = {"name": _name(gateway), "url": gateway.url, "allowed_users": _allowed(gateway, source)}
    notes = tuple(_notes(gateway))
    here = id_here(gateway.id)
    try:
        if gateway.auth_type == "oauth" or gateway.oauth_config:
            return _with_oauth(gateway, source, opener, here, body, notes)
        if gateway.auth_type in {"none", "one_time_auth"}:
            return Translated(here, body | {"auth_type": "none"}, notes=notes)
        place, key = _key(opener.open_headers(gateway.auth_value))
    except Unopened as exc:
        raise LeftOut(
            f"its secret does not open: {exc}", "Enter the secret anew in ContextForge, and run it again."
        ) from exc
    body |= {"auth_type": "api_key", "connection": "shared", "api_key": place}
    return Translated(here, body, key=key, notes=notes)


def id_here(theirs: str) -> str:
    """The id that a gateway has here: its own, so that links to it hold; another form is made one of ours."""
    bare = theirs.replace("-", "").lower()
    return bare if is_id(bare) else hashlib.sha256(theirs.encode()).hexdigest()[:32]


def same_issuer(one: str | None, other: str | None) -> bool:
    """Whether two issuers are one: ContextForge strikes the slash at the end of those that it keeps."""
    return one is not None and other is not None and one.rstrip("/") == other.rstrip("/")


def resource_of(gateway: SourceGateway) -> str | None:
    """The resource indicator (RFC 8707) that its tokens were asked for with: the entry's, else the server's origin."""
    config = gateway.oauth_config
    if config.get("omit_resource"):
        return None
    resource = config.get("resource")
    if isinstance(resource, list):
        resource = next((each for each in resource if isinstance(each, str) and each), None)
    if isinstance(resource, str) and resource:
        return resource
    parts = urlsplit(gateway.url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


# -- what can be taken over ---------------------------------------------------------------------------


def _check_kind(gateway: SourceGateway) -> None:
    if not gateway.enabled:
        raise LeftOut("it is switched off there", "Switch it on there and run it again, or remove it.")
    if gateway.transport != _HTTP:
        raise LeftOut(
            f"its server is reached by {gateway.transport or 'no transport'}, and Latchpin speaks Streamable HTTP",
            "Enter the URL at which the server speaks Streamable HTTP: latchpin gateways add URL.",
        )
    if gateway.auth_type == "query_param":
        raise LeftOut(
            "its key goes into the URL, where logs and proxies read it",
            "Ask the server's operator for a header field, and enter it with: latchpin gateways add URL --auth api_key",
        )
    if gateway.certificates:
        raise LeftOut(
            "it has a root certificate or a client certificate of its own",
            "Add the root to the file of SSL_CERT_FILE, and enter it by hand. Latchpin sends no client certificate.",
        )


def _notes(gateway: SourceGateway) -> Sequence[str]:
    notes = []
    if gateway.headers:
        notes.append("the header fields that it passes on, adds or removes are not taken over")
    if others := sorted(set(gateway.oauth_config) - _KNOWN):
        notes.append(f"oauth_config is taken over without {', '.join(others)[:200]}")
    return notes


def _name(gateway: SourceGateway) -> str:
    shown = "".join(each for each in gateway.name if each.isprintable()).strip()
    return shown[:_LONGEST_NAME] or gateway.url[:_LONGEST_NAME]


def _allowed(gateway: SourceGateway, source: Source) -> list[str]:
    """Who may use it. An empty list means everybody, so only what is public there gets one."""
    if gateway.visibility == "public":
        return []
    people = source.teams.get(gateway.team_id, ()) if gateway.visibility == "team" else (gateway.owner_email,)
    allowed = [email for email in map(_email, people) if email and email not in source.ended]
    if not allowed:
        raise LeftOut(
            f"it is {gateway.visibility[:20]} there, and nobody is left who may use it",
            "Enter it by hand with --allow for those who may.",
        )
    return list(dict.fromkeys(allowed))


def _email(text: str) -> str:
    try:
        return parse_email(text)
    except InvalidRequest:
        return ""


# -- OAuth ----------------------------------------------------------------------------------------------


def _with_oauth(  # noqa: PLR0917  each by its place
    gateway: SourceGateway,
    source: Source,
    opener: Opener,
    here: str,
    body: Mapping[str, Any],
    notes: tuple[str, ...],
) -> Translated:
    config = gateway.oauth_config
    grant = config.get("grant_type") or "authorization_code"
    if grant not in _GRANTS:
        raise LeftOut(f"it uses the grant {str(grant)[:60]!a}, which Latchpin does not offer", _BY_HAND)
    client = _registered(gateway, source)
    entry = {"grant_type": grant} | _server(config, registered=client is not None) | _wishes(config)
    if client is None:
        entry |= _entered_client(config, opener)
    client_id = config.get("client_id") or None
    return Translated(
        here,
        {**body, "auth_type": "oauth", "oauth_config": entry},
        client=client,
        client_id=client_id if isinstance(client_id, str) else None,
        notes=notes,
    )


def _registered(gateway: SourceGateway, source: Source) -> SourceClient | None:
    """The registered client that acts for it: what it names, else its only one."""
    rows = [row for row in source.clients if row.gateway_id == gateway.id and row.is_active]
    named = gateway.oauth_config.get("client_id")
    found = [row for row in rows if row.client_id == named] if named else rows
    return found[0] if len(found) == 1 else None


def _server(config: Mapping[str, Any], *, registered: bool) -> dict[str, Any]:
    """Where its users authorize. What came from the server's own metadata is found out here too."""
    names = ("issuer",) if registered and config.get("issuer") else ("issuer", "authorization_url", "token_url")
    return {name: config[name] for name in names if config.get(name)}


def _wishes(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scopes = config.get("scopes") or config.get("scope")
    if scopes:
        found["scopes"] = scopes
    if config.get("omit_resource"):
        found["omit_resource"] = True
    elif isinstance(resource := config.get("resource"), str) and urlsplit(resource).scheme:
        found["resource"] = resource
    if isinstance(audience := config.get("audience"), str) and audience:
        found["audience"] = audience
    return found


def _entered_client(config: Mapping[str, Any], opener: Opener) -> dict[str, Any]:
    method = config.get("token_endpoint_auth_method")
    sealed = config.get("private_key" if method == "private_key_jwt" else "client_secret")
    secret = opener.open(sealed) if isinstance(sealed, str) and sealed else None
    found = {"client_id": config.get("client_id") or None, "client_secret": secret}
    # Without a method, ContextForge sends the secret in the form.
    found["token_endpoint_auth_method"] = method or ("client_secret_post" if secret else None)
    return {name: value for name, value in found.items() if value is not None}


# -- keys -----------------------------------------------------------------------------------------------


def _key(fields: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Where a key goes, and the key."""
    if len(fields) != 1:
        many = f"it sends {len(fields)} header fields with keys, and Latchpin sends one"
        raise LeftOut(many if fields else "ContextForge keeps no key for it", _BY_HAND)
    ((header, value),) = fields.items()
    word, blank, rest = value.partition(" ")
    if header.lower() == "authorization" and blank and word.isalpha() and rest:
        return {"header": header, "prefix": f"{word} "}, rest.strip()
    return {"header": header, "prefix": ""}, value
