"""The report's figures, by hand."""

from __future__ import annotations

from pathlib import Path

from atm.gui.texts import Texts
from atm.model.account import AccountKind, AccountSnapshot, AssetState, PositionState, TradeReason, TradeRecord
from atm.model.order import Side
from atm.notifications.daily_report import DAY_MS, AccountDay, deepest_fall, next_report_ms, report

T = Texts(Path(__file__).parents[2] / "assets" / "texts", "en")


def trade(reason: TradeReason, profit: float, fee: float) -> TradeRecord:
    return TradeRecord(0, 0, 0, "FILUSDT", Side.SELL, reason, 1.0, 4.0, profit, fee, 0.0, float("nan"), 0.0)


def test_a_day_in_sentences() -> None:
    asset = AssetState("USDT", 1_000, 1_000, 1_050, 900, 50, 100, 10)
    open_one = PositionState("NEARUSDT", quantity=-12.5, unrealized_profit=50.0)
    snapshot = AccountSnapshot(
        "main", AccountKind.VIRTUAL, True, DAY_MS, (asset,), (open_one, PositionState("FILUSDT"))
    )
    trades = [trade(TradeReason.ENTRY, 0.0, 0.5), trade(TradeReason.STOP_CLOSE, -20.25, 0.5)]
    day = AccountDay(snapshot, [(0, 1_000.0), (1, 1_200.0), (2, 900.0), (3, 1_050.0)], trades)
    assert report([day], T).splitlines() == [
        "Account main: trading on",
        "Equity 1,050.00, +50.00 (+5.00%) in 24 hours",
        "2 fills, realised -20.25, fees 1.00",
        "Deepest fall of equity 25.00%",
        "1 stop losses, 0 liquidations",
        "Open: NEARUSDT -12.5, unrealised +50.00",
    ]


def test_an_account_without_history_and_no_account_at_all() -> None:
    empty = AccountDay(AccountSnapshot("new", AccountKind.VIRTUAL, False, 0), [], [])
    assert "Equity 0.00, +0.00 (–) in 24 hours" in report([empty], T)
    assert report([], T) == "There is no account yet."


def test_the_fall_is_from_the_high_before_it() -> None:
    assert deepest_fall([(0, 50.0), (1, 100.0), (2, 80.0), (3, 200.0), (4, 170.0)]) == 1 - 80 / 100
    assert deepest_fall([]) == 0.0 and deepest_fall([(0, 0.0)]) == 0.0


def test_the_next_report() -> None:
    hour = 3_600_000
    assert next_report_ms(7, 6 * hour) == 7 * hour
    assert next_report_ms(7, 7 * hour) == DAY_MS + 7 * hour
    assert next_report_ms(0, DAY_MS - 1) == DAY_MS


def test_a_deposit_is_no_profit_and_a_withdrawal_no_fall() -> None:
    # 1,000 → 1,100; 900 paid in: 2,000 → 1,900; 950 paid out: 950 → 1,045: 1.1 · 0.95 · 1.1 − 1 = +14.95 %, fall 5 %.
    asset = AssetState("USDT", 1_045, 1_045, 1_045, 1_045, 0, 0, 0)
    snapshot = AccountSnapshot("main", AccountKind.VIRTUAL, True, 50, (asset,))
    day = AccountDay(snapshot, [(0, 1_000.0), (10, 1_100.0), (20, 1_900.0)], [], [(10, 900.0), (20, -950.0)])
    lines = report([day], T).splitlines()
    assert lines[1] == "Equity 1,045.00, +95.00 (+14.95%) in 24 hours"
    assert lines[3] == "Deepest fall of equity 5.00%"
