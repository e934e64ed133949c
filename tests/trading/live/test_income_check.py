"""The exchange's income against our own records, by hand: what agrees, and every kind of difference with its cause."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from atm.model.account import TradeReason, TradeRecord
from atm.model.income import IncomeCause, IncomeRecord, IncomeState
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS
from atm.model.journal import Adjusted
from atm.model.order import Side
from atm.trading.live.income_check import OwnRecords, check, sums

D = Decimal
X, T = "XUSDT", 20_000 * DAY_MS
STATE = IncomeState(T, T + DAY_MS)


def trade(number: int, at_ms: int, profit: float, fee: float, after: float = 0.0, **more: object) -> TradeRecord:
    return TradeRecord(
        number, T + at_ms, 0, X, Side.BUY, TradeReason.ENTRY, 1.0, 10.0, profit, fee, after, math.nan, 0.0,
        trade_id=number, **more,
    )  # fmt: skip


def income(number: int, kind: str, amount: str, at_ms: int, trade_id: int = 0, asset: str = "USDT") -> IncomeRecord:
    symbol = "" if kind == "TRANSFER" else X
    return IncomeRecord(number, kind, symbol, asset, D(amount), T + at_ms, trade_id)


TRADES = [trade(1, HOUR_MS, 0.0, 0.00512345, 3.0), trade(2, 2 * HOUR_MS, -1.00000001, 0.1)]
INCOME = [
    income(11, "COMMISSION", "-0.00512345", HOUR_MS, 1),
    income(12, "REALIZED_PNL", "-1.00000001", 2 * HOUR_MS, 2),
    income(12, "COMMISSION", "-0.10000000", 2 * HOUR_MS, 2),
]


def causes(records: list[IncomeRecord], own: OwnRecords, state: IncomeState = STATE) -> list[tuple[str, IncomeCause]]:
    return [(line.kind, line.cause) for line in check(records, own, state).lines]


def test_what_is_the_same_on_both_sides_makes_no_line() -> None:
    found = check(INCOME, OwnRecords(TRADES), STATE)
    assert (found.lines, found.agreeing) == ((), 2)


def test_an_amount_that_differs_by_more_than_rounding_is_a_line() -> None:
    wrong = [*INCOME[:2], income(12, "COMMISSION", "-0.10000002", 2 * HOUR_MS, 2)]
    (line,) = check(wrong, OwnRecords(TRADES), STATE).lines
    assert (line.cause, line.difference, line.trade_id) == (IncomeCause.AMOUNT, D("-2e-8"), 2)
    nearly = [*INCOME[:2], income(12, "COMMISSION", "-0.10000001", 2 * HOUR_MS, 2)]
    assert causes(nearly, OwnRecords(TRADES)) == []


def test_of_the_newest_trades_alone_the_position_before_is_that_of_the_first_and_else_not_known() -> None:
    bought = trade(9, HOUR_MS, 0.0, 0.0, 3.0)
    newest = OwnRecords([bought], whole=False)
    assert [newest.held(X, T + at) for at in (0, HOUR_MS, HOUR_MS + 1)] == [D(2), D(2), D(3)]
    assert newest.held("YUSDT", T) is None
    whole = OwnRecords([bought])
    assert (whole.held(X, T), whole.held("YUSDT", T)) == (D(0), D(0))


def test_a_fill_without_income_is_a_missing_record_once_the_exchange_had_time_to_tell() -> None:
    assert causes(INCOME[:1], OwnRecords(TRADES)) == [
        ("COMMISSION", IncomeCause.MISSING_RECORD), ("REALIZED_PNL", IncomeCause.MISSING_RECORD)
    ]  # fmt: skip
    young = IncomeState(T, T + 2 * HOUR_MS + MINUTE_MS - 1)
    assert causes(INCOME[:1], OwnRecords(TRADES), young) == []


@pytest.mark.parametrize(
    ("adjusted", "clears", "cause"),
    [
        ([], [], IncomeCause.UNKNOWN_FILL),
        ([Adjusted(X, D(-1), False, "outside", T + 3 * HOUR_MS + 4_000)], [], IncomeCause.MANUAL_TRADE),
        ([Adjusted(X, D(-1), False, "outside", T + 4 * HOUR_MS)], [], IncomeCause.UNKNOWN_FILL),
        ([Adjusted(X, D(-1), False, "closed", T + 3 * HOUR_MS)], [], IncomeCause.UNKNOWN_FILL),
        ([], [income(90, "INSURANCE_CLEAR", "-0.3", 3 * HOUR_MS)], IncomeCause.LIQUIDATION),
    ],
)
def test_a_fill_that_our_log_lacks_is_told_apart(
    adjusted: list[Adjusted], clears: list[IncomeRecord], cause: IncomeCause
) -> None:
    strange = [income(20, "COMMISSION", "-0.2", 3 * HOUR_MS, 9), income(20, "REALIZED_PNL", "5", 3 * HOUR_MS, 9)]
    found = check([*INCOME, *strange, *clears], OwnRecords(TRADES, adjusted), STATE)
    assert {line.cause for line in found.lines} == {cause}
    assert len([line for line in found.lines if line.trade_id == 9]) == 2
    assert bool(found.open) == (cause is IncomeCause.UNKNOWN_FILL)


def test_a_strange_fill_is_one_when_the_log_had_time_to_get_it() -> None:
    strange = [*INCOME, income(20, "COMMISSION", "-0.2", 3 * HOUR_MS, 9)]
    for age_ms, lines in ((MINUTE_MS, 0), (4 * MINUTE_MS, 1)):
        found = check(strange, OwnRecords(TRADES), IncomeState(T, T + 3 * HOUR_MS + age_ms))
        assert len(found.open) == lines


def test_fees_in_another_asset_agree_and_are_said_with_their_amount_by_day() -> None:
    paid = [
        trade(1, HOUR_MS, 0.0, 0.0, other_fee=0.00002, other_fee_asset="BNB"),
        trade(2, 2 * HOUR_MS, 0.0, 0.0, other_fee=0.00003, other_fee_asset="BNB"),
    ]
    told = [
        income(1, "COMMISSION", "-0.00002000", HOUR_MS, 1, "BNB"),
        income(2, "COMMISSION", "-0.00003000", 2 * HOUR_MS, 2, "BNB"),
    ]
    found = check(told, OwnRecords(paid), STATE)
    (line,) = found.lines
    assert (line.cause, line.asset, line.own, found.open) == (IncomeCause.FEE_ASSET, "BNB", D("-0.00005"), ())
    assert found.agreeing == 2
    missing = check(told[:1], OwnRecords(paid), STATE).open
    assert [(line.asset, line.cause) for line in missing] == [("BNB", IncomeCause.MISSING_RECORD)]


def test_transfers_and_other_income_are_lines_that_explain_themselves() -> None:
    told = [*INCOME, income(30, "TRANSFER", "100", 5), income(31, "REFERRAL_KICKBACK", "0.1", 6)]
    found = check(told, OwnRecords(TRADES), STATE)
    assert [line.cause for line in found.lines] == [IncomeCause.TRANSFER, IncomeCause.OTHER_INCOME]
    assert found.open == ()


EIGHT = 8 * HOUR_MS
HELD = [trade(1, HOUR_MS, 0.0, 0.0, 3.0)]
SETTLED = {(X, T + EIGHT): (10.0, 0.0001)}


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ("-0.00300000", []),
        ("-0.00300100", []),  # within the share that the price of the stamp is not recorded to
        ("-0.00400000", [IncomeCause.FUNDING]),
        ("0.00300000", [IncomeCause.FUNDING]),
        (None, [IncomeCause.MISSING_RECORD]),
    ],
)
def test_funding_is_what_position_price_and_rate_make(paid: str | None, expected: list[IncomeCause]) -> None:
    told = [] if paid is None else [income(40, "FUNDING_FEE", paid, EIGHT + 1_000)]
    found = check(told, OwnRecords(HELD, (), SETTLED), STATE)
    assert [line.cause for line in found.lines if line.kind == "FUNDING_FEE"] == expected


def test_funding_of_what_we_do_not_hold_or_cannot_reckon() -> None:
    told = [income(40, "FUNDING_FEE", "-1", EIGHT)]
    assert causes(told, OwnRecords([])) == [("FUNDING_FEE", IncomeCause.UNKNOWN_FILL)]
    assert causes(told, OwnRecords(HELD)) == [], "no rate is recorded"
    outside = [Adjusted(X, D(5), False, "outside", T + 2 * HOUR_MS)]
    assert causes(told, OwnRecords(HELD, outside, SETTLED)) == [], "the position is not known to us after that"


def test_a_wallet_that_its_income_does_not_make_is_a_missing_record() -> None:
    state = IncomeState(
        T, T + DAY_MS, {"USDT": D("-1.1")}, {"USDT": D(100)}, {"USDT": D("98.5"), "BNB": D(1)},
        {"USDT": D("98.9"), "BNB": D(1)}, T + DAY_MS, 3,
    )  # fmt: skip
    (line,) = check([], OwnRecords([]), state).lines
    assert (line.kind, line.asset, line.difference) == ("WALLET", "USDT", D("-0.4"))
    assert line.cause is IncomeCause.MISSING_RECORD


def test_sums_are_by_day_type_and_asset() -> None:
    told = [*INCOME, income(50, "COMMISSION", "-1", DAY_MS + 5, 77), income(51, "COMMISSION", "-2", 6, 78, "BNB")]
    found = {(each.day_ms, each.kind, each.asset): (each.amount, each.records) for each in sums(told)}
    assert found == {
        (T, "COMMISSION", "USDT"): (D("-0.10512345"), 2), (T, "REALIZED_PNL", "USDT"): (D("-1.00000001"), 1),
        (T, "COMMISSION", "BNB"): (D(-2), 1), (T + DAY_MS, "COMMISSION", "USDT"): (D(-1), 1),
    }  # fmt: skip
