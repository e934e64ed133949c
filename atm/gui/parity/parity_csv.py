"""A worked day as files: money by cause, orders that differ, decisions that differ."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from atm.model.interval import format_time
from atm.model.parity import FillDifference, ParityDay

_NOBODY: tuple[object, ...] = ("", "", "", "")


def write_day(day: ParityDay, folder: Path) -> Path:
    """Three CSV files in a folder of the account and the day, which is returned. Raises OSError."""
    into = folder / day.account / f"parity-{format_time(day.day_ms)[:10]}"
    into.mkdir(parents=True, exist_ok=True)
    money = day.money
    causes = [] if money is None else [("begin", money.equity_begin), ("backtest", money.equity_backtest)]
    causes += [] if money is None else [*money.causes.items(), ("live", money.equity_live)]
    _write(into / "money.csv", ("what", "amount"), causes)
    fills = () if money is None else money.fills
    sides = [f"{side}_{what}" for side in ("live", "backtest") for what in ("time", "quantity", "price", "fee")]
    _write(into / "fills.csv", ("symbol", "decision", "reason", *sides, "cause", "amount"), _fill_rows(fills))
    numbers = [f"{side}_{what}" for side in ("live", "again") for what in ("exposure", "quantity", "stop")]
    decisions = [
        (format_time(each.time_ms), each.symbol, each.cause.value, _time(each.since_ms), *each.live, *each.again)
        for each in day.differences
    ]
    _write(into / "decisions.csv", ("time", "symbol", "cause", "since", *numbers), decisions)
    return into


def _fill_rows(fills: Iterable[FillDifference]) -> list[tuple[object, ...]]:
    """One row a cause."""
    rows = []
    for each in fills:
        sides = [
            _NOBODY if side is None else (format_time(side.time_ms), side.quantity, side.price, side.fee)
            for side in (each.live, each.backtest)
        ]
        for cause, amount in each.causes.items():
            rows.append((each.symbol, _time(each.decision_ms), each.reason, *sides[0], *sides[1], cause, amount))
    return rows


def _time(time_ms: int) -> str:
    return format_time(time_ms) if time_ms else ""


def _write(path: Path, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(titles)
        writer.writerows(rows)
