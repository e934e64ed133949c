"""First tables: configurations, accounts with trades and equity, simulations, settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "configurations",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("market_ms", sa.BigInteger, nullable=False),
        sa.Column("engine", sa.LargeBinary),
    )
    owner = sa.ForeignKey("accounts.name", ondelete="CASCADE")
    op.create_table(
        "account_trades",
        sa.Column("account", sa.Text, owner, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    owner = sa.ForeignKey("accounts.name", ondelete="CASCADE")
    op.create_table(
        "account_equity",
        sa.Column("account", sa.Text, owner, primary_key=True),
        sa.Column("time_ms", sa.BigInteger, primary_key=True),
        sa.Column("equity", sa.Float, nullable=False),
    )
    op.create_table(
        "simulations",
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("spec", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("equity", sa.LargeBinary),
        sa.Column("trades", sa.LargeBinary),
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("settings", "simulations", "account_equity", "account_trades", "accounts", "configurations"):
        op.drop_table(table)
