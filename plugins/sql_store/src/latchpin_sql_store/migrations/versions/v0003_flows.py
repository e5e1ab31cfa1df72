"""The history of flows, and which flow a token came from."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from latchpin_sql_store.columns import Ascii, LongText, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ON_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "oauth_flows",
        sa.Column("flow_id", Ascii(64), nullable=False),
        sa.Column("gateway_id", Ascii(64), nullable=False),
        sa.Column("app_user_email", sa.String(320), nullable=False),
        sa.Column("began_at", UtcTime, nullable=False),
        sa.Column("last_at", UtcTime, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(64)),
        sa.Column("step_count", sa.Integer, nullable=False),
        sa.Column("steps", LongText, nullable=False),
        sa.PrimaryKeyConstraint("flow_id", name="pk_oauth_flows"),
        **ON_MYSQL,
    )
    op.create_index("ix_oauth_flows_last_at", "oauth_flows", ["last_at"])
    op.create_index("ix_oauth_flows_user", "oauth_flows", ["app_user_email", "last_at"])
    op.add_column("oauth_tokens", sa.Column("flow_id", Ascii(64)))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("oauth_tokens", "flow_id")
    op.drop_table("oauth_flows")
