"""Several accounts of one person at one server, one that all share, and servers that take an API key.

Instances of the version before go on: they neither read nor write the new columns, whose defaults are what they know.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from latchpin_sql_store.columns import Exact, UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE, NOW = "uq_oauth_tokens_gateway_id", "uq_oauth_tokens_account"


def upgrade() -> None:
    """Add the columns; a token is unique by its label too.

    The new constraint comes before the old one goes: MariaDB needs an index that begins with ``gateway_id``.
    """
    op.add_column("gateways", sa.Column("connection", sa.String(16), nullable=False, server_default="own"))
    op.add_column("gateways", sa.Column("api_key", sa.Text))
    with op.batch_alter_table("oauth_tokens") as tokens:
        tokens.add_column(sa.Column("label", Exact(160), nullable=False, server_default=""))
        tokens.add_column(sa.Column("chosen_at", UtcTime))
        tokens.add_column(sa.Column("connected_by", sa.String(320)))
        tokens.create_unique_constraint(NOW, ["gateway_id", "app_user_email", "label"])
        tokens.drop_constraint(BEFORE, type_="unique")


def downgrade() -> None:
    """Take them away; fails where a person has several accounts at one server."""
    with op.batch_alter_table("oauth_tokens") as tokens:
        tokens.create_unique_constraint(BEFORE, ["gateway_id", "app_user_email"])
        tokens.drop_constraint(NOW, type_="unique")
        for name in ("connected_by", "chosen_at", "label"):
            tokens.drop_column(name)
    op.drop_column("gateways", "api_key")
    op.drop_column("gateways", "connection")
