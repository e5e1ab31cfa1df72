"""A small database as ContextForge 1.x makes it, with rows that it seldom has."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

THEIR_SECRET = "the secret that ContextForge runs with, of 50 characters"
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

metadata = sa.MetaData()
GATEWAYS = sa.Table(
    "gateways",
    metadata,
    *(sa.Column(name, sa.Text) for name in ("id", "name", "url", "transport", "visibility", "owner_email", "team_id")),
    *(sa.Column(name, sa.Text) for name in ("auth_type", "ca_certificate", "client_cert")),
    *(sa.Column(name, sa.JSON) for name in ("auth_value", "auth_query_params", "oauth_config", "passthrough_headers")),
    sa.Column("enabled", sa.Boolean),
)
TOKENS = sa.Table(
    "oauth_tokens",
    metadata,
    *(sa.Column(name, sa.Text) for name in ("gateway_id", "app_user_email", "user_id", "access_token")),
    *(sa.Column(name, sa.Text) for name in ("refresh_token", "token_type", "learned_iss")),
    sa.Column("scopes", sa.JSON),
    *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("expires_at", "updated_at")),
)
CLIENTS = sa.Table(
    "registered_oauth_clients",
    metadata,
    *(sa.Column(name, sa.Text) for name in ("gateway_id", "issuer", "client_id", "client_secret_encrypted")),
    *(sa.Column(name, sa.Text) for name in ("redirect_uris", "grant_types", "scope", "token_endpoint_auth_method")),
    *(sa.Column(name, sa.Text) for name in ("registration_client_uri", "registration_access_token_encrypted")),
    *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("created_at", "expires_at")),
    sa.Column("is_active", sa.Boolean),
)
USERS = sa.Table("email_users", metadata, sa.Column("email", sa.Text), sa.Column("is_active", sa.Boolean))
MEMBERS = sa.Table(
    "email_team_members",
    metadata,
    *(sa.Column(name, sa.Text) for name in ("team_id", "user_email")),
    sa.Column("is_active", sa.Boolean),
)
SERVERS = sa.Table("servers", metadata, sa.Column("id", sa.Text))


def seal(text: str, secret: str = THEIR_SECRET, **changes: Any) -> str:
    """Seal a token or a client secret; its derivation is the cheapest there is."""
    salt = os.urandom(16)
    key = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=8).derive(secret.encode())
    token = Fernet(base64.urlsafe_b64encode(key)).encrypt(text.encode()).decode()
    bundle = {"version": "v2", "kdf": "argon2id", "t": 1, "m": 8, "p": 1, "token": token}
    bundle |= {"salt": base64.b64encode(salt).decode()} | changes
    return "v2:" + json.dumps(bundle)


def seal_headers(fields: Mapping[str, str], secret: str = THEIR_SECRET) -> str:
    """Seal header fields with keys."""
    nonce = os.urandom(12)
    sealed = AESGCM(hashlib.sha256(secret.encode()).digest()).encrypt(nonce, json.dumps(dict(fields)).encode(), None)
    return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


class Theirs:
    """A database of ContextForge that is filled row by row."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        metadata.create_all(self._engine)

    def gateway(self, name: str, url: str, **columns: Any) -> str:
        """Enter a gateway; its id."""
        found = {"id": secrets.token_hex(16), "name": name, "url": url, "transport": "STREAMABLEHTTP"}
        row = found | {"visibility": "public", "enabled": True} | columns
        self._put(GATEWAYS, row)
        return str(row["id"])

    def token(self, gateway: str, email: str, access: str, refresh: str | None = None, **columns: Any) -> None:
        """Keep somebody's tokens, sealed unless they begin with a ``!``."""
        sealed = [text and (text[1:] if text.startswith("!") else seal(text)) for text in (access, refresh)]
        row = {"gateway_id": gateway, "app_user_email": email, "user_id": "sub", "token_type": "Bearer"}
        row |= {"access_token": sealed[0], "refresh_token": sealed[1], "scopes": ["mcp:read"]}
        self._put(TOKENS, row | {"expires_at": NOW + HOUR, "updated_at": NOW} | columns)

    def client(self, gateway: str, issuer: str, client_id: str, secret: str | None, **columns: Any) -> None:
        """Keep a registered client."""
        row = {"gateway_id": gateway, "issuer": issuer, "client_id": client_id, "is_active": True}
        row |= {"client_secret_encrypted": secret and seal(secret), "scope": "mcp:read", "created_at": NOW}
        row |= {"grant_types": '["authorization_code", "refresh_token"]', "redirect_uris": "[]"}
        self._put(CLIENTS, row | {"token_endpoint_auth_method": "client_secret_basic"} | columns)

    def person(self, email: str, *, active: bool = True, team: str | None = None) -> None:
        """Let somebody have an account, and be in a team."""
        self._put(USERS, {"email": email, "is_active": active})
        if team is not None:
            self._put(MEMBERS, {"team_id": team, "user_email": email, "is_active": True})

    def virtual_server(self) -> None:
        """Make one."""
        self._put(SERVERS, {"id": secrets.token_hex(16)})

    def change(self, statement: str) -> None:
        """Change what is there."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _put(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(table.insert().values(row))
