"""When a token is renewed in the background.

Tokens that are there already get their time when they are renewed the next time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from latchpin_sql_store.columns import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and an index to find what is due."""
    op.add_column("oauth_tokens", sa.Column("renew_at", UtcTime))
    op.create_index("ix_oauth_tokens_renew_at", "oauth_tokens", ["renew_at"])


def downgrade() -> None:
    """Take both away."""
    op.drop_index("ix_oauth_tokens_renew_at", table_name="oauth_tokens")
    op.drop_column("oauth_tokens", "renew_at")
