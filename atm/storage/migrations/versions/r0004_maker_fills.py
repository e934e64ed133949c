"""Whether a trade of an account was filled while its order rested in the book."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account_trades", sa.Column("maker", sa.Boolean, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("account_trades") as table:
        table.drop_column("maker")
