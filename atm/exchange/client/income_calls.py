"""From what is asked about an account's income to calls of the exchange's REST interface, and back. Pure (spec: exchange §1.6, §1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from atm.exchange.client import live_facts
from atm.exchange.client.live_calls import Call
from atm.exchange.client.live_facts import decimal
from atm.model.income import PAGE_RECORDS, IncomeQuestion, IncomeRecord, ReadPage


def call(question: IncomeQuestion) -> Call:
    """What has to be called."""
    if isinstance(question, ReadPage):
        wanted = {"startTime": question.start_ms, "endTime": question.end_ms, "page": question.page}
        given = {name: str(value) for name, value in wanted.items()} | {"limit": str(PAGE_RECORDS)}
        return Call("GET", 1, "income", given)
    return Call("GET", 3, "balance")


def records(document: Any) -> tuple[IncomeRecord, ...]:
    """The answer to `ReadPage`. Raises KeyError, TypeError or ValueError where it cannot be read: no row may be left out."""
    return tuple(_record(row) for row in document)


def wallets(document: Any) -> dict[str, Decimal]:
    """The answer to `ReadWallets`, by asset, those that are empty left out."""
    return {seen.asset: seen.wallet for seen in live_facts.wallets(document)}


def _record(row: Mapping[str, Any]) -> IncomeRecord:
    trade = str(row.get("tradeId") or "")
    return IncomeRecord(
        int(row["tranId"]), row["incomeType"], row.get("symbol") or "", row["asset"], decimal(row["income"]),
        int(row["time"]), int(trade) if trade.isdecimal() else 0,
    )  # fmt: skip
