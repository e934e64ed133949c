"""The signal of each trade of an account; round trips and balance reports of simulations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TARGETS = ("target_before", "target_after")


def upgrade() -> None:
    for name in _TARGETS:
        op.add_column("account_trades", sa.Column(name, sa.Double, nullable=True))
    op.add_column("simulations", sa.Column("details", sa.LargeBinary, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("simulations") as table:
        table.drop_column("details")
    with op.batch_alter_table("account_trades") as table:
        for name in reversed(_TARGETS):
            table.drop_column(name)
