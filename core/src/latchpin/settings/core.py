"""The core's own settings: every variable the gateway itself reads, with defaults and what is allowed."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlencode, urlsplit

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from latchpin.model.address import check_email
from latchpin.model.urls import check_url
from latchpin.settings.loading import Settings

__all__ = ["CoreSettings", "SecretWords", "Words", "is_loopback_host"]

DEFAULT_SECRET = "my-test-salt"  # noqa: S105  the published default, refused off loopback
MINIMUM_SECRET_BYTES = 32
HIGHEST_PORT = 65_535
ENVIRONMENT = "environment"
"""What OUTBOUND_PROXY says where the variables of other programs hold: HTTPS_PROXY, NO_PROXY and their like."""
_PROXY = re.compile(r"https?://(?:[^\s/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::\d{1,5})?/?")
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 section 5.1."""


def _words(value: Any) -> Any:  # noqa: ANN401  whatever the environment holds
    """Read a JSON list, or words separated by commas or spaces."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError('must be a JSON list such as ["a", "b"], or words separated by commas or blanks') from None
    return [word for word in text.replace(",", " ").split() if word]


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
SecretWords = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_words)]
PositiveSeconds = Annotated[int, Field(gt=0, le=86_400 * 366)]


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address literal can only mean this machine."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


class CoreSettings(Settings):
    """What the core reads. A field's upper-cased name is its variable; docs/settings.md explains each."""

    # where things are kept
    cache_type: str = Field(
        "database",
        description="Where authorizations under way are kept: database, redis, memory, none, or a plugin's name.",
    )
    record_store: str = Field(
        "auto",
        description="Where gateways, tokens and clients are kept; auto: the database, else as for states.",
    )
    state_ttl_seconds: PositiveSeconds = Field(300, description="How long a user may take to authorize, in seconds.")
    max_pending_per_user: int = Field(100, gt=0, description="Unfinished authorizations one user may have at once.")
    max_pending: int = Field(50_000, gt=0, description="Unfinished authorizations one worker admits in all.")

    # keys
    auth_encryption_secret: SecretStr = Field(
        SecretStr(DEFAULT_SECRET),
        description="Root of all keys; the same on every instance; 32 bytes or more off loopback.",
    )
    auth_encryption_secrets_old: SecretWords = Field((), description="Earlier secrets, which still verify and unseal.")
    key_wrapper: str = Field("none", description="Which plugin's key service wraps the gateway's keys; none: none.")
    key_source: str = Field(
        "settings", description="What gives today's keys: settings, or ring (latchpin-key-ring), in the record store."
    )
    key_wrappers_old: Words = Field((), description="Earlier key services, which still unwrap what they wrapped.")
    signer: str = Field("hmac-sha256", description="Which plugin signs the state.")
    cipher: str = Field("aes-gcm", description="Which plugin seals secrets at rest.")

    # OAuth
    oauth_request_timeout: PositiveSeconds = Field(
        30, description="Deadline of one request to another server with its retries, seconds."
    )
    oauth_callback_wait_seconds: int = Field(
        15, ge=0, le=120, description="How long a callback waits for a store that is away, seconds."
    )
    oauth_max_retries: int = Field(
        3,
        ge=0,
        le=20,
        description="Retries of requests that are safe to repeat. A code or a refresh is never sent twice.",
    )
    oauth_default_timeout: PositiveSeconds = Field(
        3600, description="Token lifetime if the server names none, seconds."
    )
    oauth_discovery_enabled: bool = Field(True, description="Whether servers are asked for their metadata.")
    oauth_preferred_code_challenge_method: str = Field("S256", description="PKCE method.")
    oauth_allow_private_networks: bool = Field(
        False, description="Allow MCP and authorization servers at http, loopback and private addresses."
    )
    outbound_proxy: SecretStr = Field(
        SecretStr(""),
        description="Proxy through which requests leave: its URL, or environment: HTTPS_PROXY and NO_PROXY hold.",
    )
    outbound_proxy_looks_up: bool = Field(
        False, description="Let the proxy be asked for names that cannot be looked up here; its rules then protect you."
    )
    oauth_scope_ceiling: Words = Field((), description="The only scopes that may ever be asked for; empty: any.")
    oauth_follow_issuer_change: bool = Field(
        False,
        description="Follow an MCP server to another issuer without asking an administrator.",
    )

    # discovery's cache; the other DCR_* variables are the dcr plugin's
    dcr_metadata_cache_ttl: int = Field(
        3600,
        ge=0,
        validation_alias=AliasChoices("dcr_metadata_cache_ttl", "mcpgateway_dcr_metadata_cache_ttl"),
        description="How long a server's metadata is kept, seconds.",
    )

    # the server
    base_url: str = Field(
        "http://localhost:4444", description="The public URL, https unless it is loopback; a path prefix is allowed."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(4444, ge=0, le=HIGHEST_PORT, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=256, description="Worker processes.")
    max_connections: int = Field(2048, ge=16, le=1_000_000, description="Connections that one worker takes at once.")

    # people
    jwt_secret_key: SecretStr | None = Field(
        None,
        description="Key of callers' bearer tokens (HS256), 32 bytes or more; empty: a random one.",
    )
    jwt_jwks_url: str | None = Field(
        None,
        description="Where your own issuer publishes its keys; needs JWT_ISSUER and JWT_AUDIENCE.",
    )
    jwt_issuer: str | None = Field(None, description="The iss that bearer tokens must have; empty: BASE_URL.")
    jwt_audience: str | None = Field(None, description="The aud that bearer tokens must have; empty: BASE_URL.")
    jwt_email_claim: str = Field("email", description="Claim that holds the caller's address.")
    jwt_groups_claim: str | None = Field(
        None, description="Claim that lists the caller's groups, such as groups; empty: none is read."
    )
    admin_emails: Words = Field((), description="Addresses of administrators, however they sign in.")
    session_lifetime_seconds: int = Field(
        43_200, ge=60, le=86_400 * 30, description="How long a sign-in in a browser lasts, in seconds."
    )
    trusted_user_header: str | None = Field(
        None, description="Header in which a trusted reverse proxy names the user; needs TRUSTED_PROXIES."
    )
    trusted_proxies: Words = Field((), description="Addresses or networks of those proxies; needs TRUSTED_USER_HEADER.")

    # logs
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field("INFO", description="Log level.")
    log_format: Literal["text", "json"] = Field("text", description="Log format.")
    log_file: str = Field(
        "logs/mcpgateway.log", description="Log file beside stderr; empty: no file.", json_schema_extra={"empty": True}
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_the_port(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Without BASE_URL, links lead to where we listen."""
        port = str(values.get("port") or "")
        if values.get("base_url") or not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
            return values
        return {**values, "base_url": f"http://localhost:{int(port)}"}

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, value: str) -> str:
        """An IPv6 address may be written as in a URL."""
        bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        if "/" in bare or (bare.count(":") == 1):
            raise ValueError("must be an address or a name alone, without scheme and port; PORT has the port")
        return bare

    @field_validator("outbound_proxy")
    @classmethod
    def _check_outbound_proxy(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text not in {"", ENVIRONMENT} and not is_proxy_url(text):
            raise ValueError("must be environment, or an http or https URL without a path, as in http://proxy:3128")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:  # noqa: ANN401  whatever the environment holds
        return value.upper() if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        parts = check_url(value)
        if parts.query or parts.fragment:
            raise ValueError("must have no query or fragment")
        if parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
            raise ValueError("must be https unless its host is loopback (localhost, 127.0.0.1)")
        return value.rstrip("/")

    @field_validator("jwt_jwks_url")
    @classmethod
    def _check_asked(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ipaddress.ip_network(text, strict=False)
        return value

    @field_validator("admin_emails")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                check_email(text)
            except ValueError as exc:
                raise ValueError(f"must be addresses, and '{text}' {exc}") from None
        return tuple(text.lower() for text in value)

    @field_validator("trusted_user_header")
    @classmethod
    def _check_header(cls, value: str | None) -> str | None:
        if value is not None and not _FIELD_NAME.fullmatch(value):
            raise ValueError("must be the name of a header such as X-Forwarded-Email, without a colon")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.weak_secret and not (is_loopback_host(self.host) and is_loopback_host(self.base_host)):
            raise ValueError(
                "AUTH_ENCRYPTION_SECRET is the published default or shorter than 32 bytes, which is accepted only "
                "while HOST and BASE_URL are loopback; make one with: latchpin secret generate"
            )
        if bool(self.trusted_user_header) != bool(self.trusted_proxies):
            raise ValueError("TRUSTED_USER_HEADER and TRUSTED_PROXIES must be set together or not at all")
        trio = (self.jwt_jwks_url, self.jwt_issuer, self.jwt_audience)
        if self.jwt_jwks_url and not all(trio):
            raise ValueError("JWT_JWKS_URL needs JWT_ISSUER and JWT_AUDIENCE")
        if self.jwt_jwks_url and self.jwt_secret_key:
            raise ValueError("JWT_SECRET_KEY and JWT_JWKS_URL exclude each other: the algorithm follows the key")
        key = self.jwt_secret_key
        if key is not None and len(key.get_secret_value().encode()) < MINIMUM_SECRET_BYTES:
            raise ValueError("JWT_SECRET_KEY must have 32 bytes or more; make one with: latchpin secret generate")
        return self

    @property
    def weak_secret(self) -> bool:
        """Whether the secret is the published default or too short to be one."""
        secret = self.auth_encryption_secret.get_secret_value()
        return secret == DEFAULT_SECRET or len(secret.encode()) < MINIMUM_SECRET_BYTES

    @property
    def base_host(self) -> str:
        """The host name in BASE_URL."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def base_path(self) -> str:
        """The path prefix in BASE_URL, ``""`` if there is none."""
        return urlsplit(self.base_url).path

    @property
    def secure(self) -> bool:
        """Whether the public URL is https."""
        return self.base_url.startswith("https:")

    @property
    def redirect_uri(self) -> str:
        """The redirect URI that providers must know."""
        return f"{self.base_url}/oauth/callback"

    def authorize_url(self, gateway_id: str, account: str = "") -> str:
        """Where a browser gets a token for this gateway; with ``account``, for the account of that label."""
        chosen = f"?account={quote(account, safe='')}" if account else ""
        return f"{self.base_url}/oauth/authorize/{gateway_id}{chosen}"

    def key_url(self, page: str, return_to: str = "", account: str = "") -> str:
        """Where a person enters a key: on the page of that path, for the account of that label.

        ``return_to`` is the path of ours to go on to afterwards.
        """
        query = urlencode({name: text for name, text in (("account", account), ("next", return_to)) if text})
        return f"{self.base_url}{page}{'?' if query else ''}{query}"


def is_proxy_url(text: str) -> bool:
    """Whether it names an HTTP proxy: http or https, a host, no path; a user name and password may be there."""
    return _PROXY.fullmatch(text) is not None
