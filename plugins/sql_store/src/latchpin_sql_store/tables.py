"""The tables. Migrations create them; a test holds both to the same shape.

Secrets are in ``code_verifier``, ``access_token``, ``refresh_token``, the columns ending in ``_encrypted`` and
``gateways.oauth_config``: sealed by the core before they get here. Lists and objects are JSON text.

What MariaDB has to be told of a table (engine, character set, comparison by bytes), the migrations tell it: to say it
here would load its dialect everywhere.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from latchpin_sql_store.columns import ApiKeyMembers, Ascii, Exact, LongText, OAuthMembers, UtcTime, WordList

__all__ = ["clients", "document_fields", "documents", "gateways", "metadata", "states", "tokens"]

EMAIL = String(320)
ISSUER = String(700)
LABEL = Exact(160)
"""Forty characters, each of four bytes at most."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _of_gateway() -> Column[str]:
    return Column("gateway_id", Ascii(64), ForeignKey("gateways.id", ondelete="CASCADE"), nullable=False)


states = Table(
    "oauth_states",
    metadata,
    Column("id", Ascii(64), primary_key=True),
    Column("gateway_id", Ascii(64), nullable=False),
    Column("state", Ascii(2048), nullable=False, unique=True),
    Column("code_verifier", Text),  # NULL in a tombstone
    Column("app_user_email", EMAIL, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("issuer", Text),
    Column("iss_expected", Boolean, nullable=False, server_default=false()),
    Column("token_url", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("resource", Text),
    Column("scopes", WordList, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("used", Boolean, nullable=False, server_default=false()),
    Column("used_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
)

gateways = Table(
    "gateways",
    metadata,
    Column("id", Ascii(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("auth_type", String(32), nullable=False),
    Column("allowed_users", WordList(long=True), nullable=False),
    Column("oauth_config", OAuthMembers, key="oauth"),
    Column("pinned_issuer", Text),
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("connection", String(16), nullable=False, server_default="own"),
    Column("api_key", ApiKeyMembers),
)

tokens = Table(
    "oauth_tokens",
    metadata,
    Column("id", Ascii(64), primary_key=True),
    _of_gateway(),
    Column("user_id", Text, nullable=False),
    Column("app_user_email", EMAIL, nullable=False),
    Column("issuer", Text),
    Column("resource", Text),
    Column("client_id", Text, nullable=False),
    Column("access_token", LongText, nullable=False),
    Column("refresh_token", LongText),
    Column("token_type", Text, nullable=False),
    Column("scopes", WordList, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("needs_reauth", Boolean, nullable=False, server_default=false()),
    Column("refresh_begun_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("renew_at", UtcTime, index=True),
    Column("flow_id", Ascii(64)),
    Column("label", LABEL, nullable=False, server_default=""),
    Column("chosen_at", UtcTime),
    Column("connected_by", EMAIL),
    UniqueConstraint("gateway_id", "app_user_email", "label", name="uq_oauth_tokens_account"),
)

clients = Table(
    "registered_oauth_clients",
    metadata,
    Column("id", Ascii(64), primary_key=True),
    _of_gateway(),
    Column("issuer", ISSUER, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("client_secret_encrypted", LongText, key="client_secret"),
    Column("redirect_uris", WordList, nullable=False),
    Column("grant_types", WordList, nullable=False),
    Column("scope", Text, nullable=False),
    Column("token_endpoint_auth_method", Text, nullable=False),
    Column("registration_client_uri", Text),
    Column("registration_access_token_encrypted", LongText, key="registration_access_token"),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("gateway_id", "issuer"),
)

# What plugins keep. One pair of tables and not one a collection: a plugin that declares another collection or index
# then needs no right to change the schema, and no migration of its own.
documents = Table(
    "documents",
    metadata,
    Column("collection", Ascii(40), primary_key=True),
    Column("id", Exact(255), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("fields", Text, nullable=False),
    Column("body", LongText, nullable=False),
    Column("expires_at", UtcTime, index=True),
)

document_fields = Table(
    "document_fields",
    metadata,
    Column("collection", Ascii(40), primary_key=True),
    Column("field", Ascii(40), primary_key=True),
    Column("value", Exact(700), primary_key=True),
    Column("id", Exact(255), primary_key=True),
    ForeignKeyConstraint(
        ["collection", "id"], ["documents.collection", "documents.id"], name="fk_document_fields", ondelete="CASCADE"
    ),
    Index("ix_document_fields_document", "collection", "id"),
)
