"""Income records of the exchange, and of a trade its number there and a fee in another asset."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ADDED = ("trade_id", "other_fee", "other_fee_asset")


def upgrade() -> None:
    for name, kind in zip(_ADDED, (sa.BigInteger, sa.Double, sa.Text), strict=True):
        op.add_column("account_trades", sa.Column(name, kind, nullable=True))
    op.create_table(
        "account_income",
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("transaction_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("symbol", sa.Text, primary_key=True),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("trade_id", sa.BigInteger, nullable=False),
    )
    op.create_index("account_income_time", "account_income", ["account", "time_ms"])
    op.create_table(
        "account_income_state",
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("account_income_state")
    op.drop_table("account_income")
    with op.batch_alter_table("account_trades") as table:
        for name in _ADDED:
            table.drop_column(name)
