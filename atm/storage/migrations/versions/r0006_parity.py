"""What live days began with and decided on, and what was found of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, time in (("parity_segments", "begin_ms"), ("parity_hours", "hour_ms"), ("parity_days", "day_ms")):
        account = sa.ForeignKey("accounts.name", ondelete="CASCADE")
        verdict = [sa.Column("verdict", sa.Text, nullable=False)] if name == "parity_days" else []
        op.create_table(
            name,
            sa.Column("account", sa.Text, account, primary_key=True),
            sa.Column(time, sa.BigInteger, primary_key=True),
            *verdict,
            sa.Column("payload", sa.LargeBinary, nullable=False),
        )


def downgrade() -> None:
    for name in ("parity_days", "parity_hours", "parity_segments"):
        op.drop_table(name)
