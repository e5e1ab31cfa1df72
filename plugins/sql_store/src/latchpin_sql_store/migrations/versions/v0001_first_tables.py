"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from latchpin_sql_store.columns import Ascii, LongText, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EMAIL = sa.String(320)
ISSUER = sa.String(700)
ON_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create them."""
    _create_states()
    _create_gateways()
    _create_tokens()
    _create_clients()
    _create_tools()
    _create_kept_values()


def downgrade() -> None:
    """Drop them, with everything in them."""
    for name in ("kept_values", "tools", "registered_oauth_clients", "oauth_tokens", "gateways", "oauth_states"):
        op.drop_table(name)


def _of_gateway(table: str) -> sa.Column[str]:
    name = f"fk_{table}_gateway_id"
    return sa.Column(
        "gateway_id", Ascii(64), sa.ForeignKey("gateways.id", name=name, ondelete="CASCADE"), nullable=False
    )


def _create_states() -> None:
    op.create_table(
        "oauth_states",
        sa.Column("id", Ascii(64), nullable=False),
        sa.Column("gateway_id", Ascii(64), nullable=False),
        sa.Column("state", Ascii(2048), nullable=False),
        sa.Column("code_verifier", sa.Text),
        sa.Column("app_user_email", EMAIL, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text),
        sa.Column("iss_expected", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("token_url", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("resource", sa.Text),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.Column("used", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("used_at", UtcTime),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_states"),
        sa.UniqueConstraint("state", name="uq_oauth_states_state"),
        **ON_MYSQL,
    )
    op.create_index("ix_oauth_states_expires_at", "oauth_states", ["expires_at"])


def _create_gateways() -> None:
    op.create_table(
        "gateways",
        sa.Column("id", Ascii(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("auth_type", sa.String(32), nullable=False),
        sa.Column("allowed_users", LongText, nullable=False),
        sa.Column("oauth_config", LongText),
        sa.Column("pinned_issuer", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gateways"),
        **ON_MYSQL,
    )


def _create_tokens() -> None:
    op.create_table(
        "oauth_tokens",
        sa.Column("id", Ascii(64), nullable=False),
        _of_gateway("oauth_tokens"),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("app_user_email", EMAIL, nullable=False),
        sa.Column("issuer", sa.Text),
        sa.Column("resource", sa.Text),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("access_token", LongText, nullable=False),
        sa.Column("refresh_token", LongText),
        sa.Column("token_type", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("expires_at", UtcTime, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("needs_reauth", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("refresh_begun_at", UtcTime),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_tokens"),
        sa.UniqueConstraint("gateway_id", "app_user_email", name="uq_oauth_tokens_gateway_id"),
        **ON_MYSQL,
    )


def _create_clients() -> None:
    op.create_table(
        "registered_oauth_clients",
        sa.Column("id", Ascii(64), nullable=False),
        _of_gateway("registered_oauth_clients"),
        sa.Column("issuer", ISSUER, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("client_secret_encrypted", LongText),
        sa.Column("redirect_uris", sa.Text, nullable=False),
        sa.Column("grant_types", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("token_endpoint_auth_method", sa.Text, nullable=False),
        sa.Column("registration_client_uri", sa.Text),
        sa.Column("registration_access_token_encrypted", LongText),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("expires_at", UtcTime),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.PrimaryKeyConstraint("id", name="pk_registered_oauth_clients"),
        sa.UniqueConstraint("gateway_id", "issuer", name="uq_registered_oauth_clients_gateway_id"),
        **ON_MYSQL,
    )


def _create_tools() -> None:
    op.create_table(
        "tools",
        sa.Column("id", Ascii(64), nullable=False),
        _of_gateway("tools"),
        sa.Column("app_user_email", EMAIL, nullable=False),
        sa.Column("name", LongText, nullable=False),
        sa.Column("definition", LongText, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tools"),
        **ON_MYSQL,
    )
    op.create_index("ix_tools_owner", "tools", ["gateway_id", "app_user_email"])


def _create_kept_values() -> None:
    op.create_table(
        "kept_values",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("value", LongText, nullable=False),
        sa.Column("expires_at", UtcTime),
        sa.PrimaryKeyConstraint("name", name="pk_kept_values"),
        **ON_MYSQL,
    )
    op.create_index("ix_kept_values_expires_at", "kept_values", ["expires_at"])
