"""Trades of accounts in typed columns with an index by time; version and time of change of configurations."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PIECE = 5_000
_FIELDS = (
    "time_ms", "decision_ms", "symbol", "side", "reason", "quantity", "price", "profit", "fee", "quantity_after",
    "entry_price_after", "wallet_after",
)  # fmt: skip


def _typed(name: str) -> sa.Table:
    owner = sa.ForeignKey("accounts.name", ondelete="CASCADE")
    whole = dict.fromkeys(("time_ms", "decision_ms"), sa.BigInteger)
    texts = dict.fromkeys(("symbol", "side", "reason"), sa.Text)
    columns: list[sa.Column[object]] = [
        sa.Column(field, {**whole, **texts}.get(field, sa.Double), nullable=field == "entry_price_after")
        for field in _FIELDS
    ]
    return op.create_table(
        name,
        sa.Column("account", sa.Text, owner, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        *columns,
    )


def _packed(name: str) -> sa.Table:
    owner = sa.ForeignKey("accounts.name", ondelete="CASCADE")
    return op.create_table(
        name,
        sa.Column("account", sa.Text, owner, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )


def _rebuild(made: sa.Table, fields: tuple[str, ...], convert: object) -> None:
    """Copy account_trades row by row into `made`, which then takes its place."""
    connection = op.get_bind()
    old = sa.table("account_trades", *(sa.column(field) for field in ("account", "number", *fields)))
    rows = connection.execute(sa.select(old)).mappings()
    for piece in rows.partitions(_PIECE):
        connection.execute(made.insert(), [convert(row) for row in piece])  # type: ignore[operator]
    op.drop_table("account_trades")
    op.rename_table(made.name, "account_trades")


def _unpack(row: sa.RowMapping) -> dict[str, object]:
    stored = json.loads(row["payload"])
    return {"account": row["account"], "number": row["number"]} | {field: stored.get(field) for field in _FIELDS}


def _pack(row: sa.RowMapping) -> dict[str, object]:
    payload = {"index": row["number"]} | {field: row[field] for field in _FIELDS}
    return {"account": row["account"], "number": row["number"], "payload": json.dumps(payload).encode()}


def upgrade() -> None:
    _rebuild(_typed("account_trades_made"), ("payload",), _unpack)
    op.create_index("account_trades_time", "account_trades", ["account", "time_ms"])
    op.add_column("configurations", sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("configurations", sa.Column("updated_ms", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("configurations") as table:
        table.drop_column("updated_ms")
        table.drop_column("version")
    op.drop_index("account_trades_time", "account_trades")
    _rebuild(_packed("account_trades_made"), _FIELDS, _pack)
