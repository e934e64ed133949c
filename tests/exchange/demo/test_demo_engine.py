"""Matching, margin, funding and liquidation of the demo exchange, without sockets: hand-calculated numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atm.exchange.demo import passage
from atm.exchange.demo.account import Account, ExchangeState
from atm.exchange.demo.book import book_at, price_of
from atm.exchange.demo.documents import AccountView
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import Market
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.rules import Rules
from atm.model.instrument import Instrument
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.storage.market_store import MarketStore

T0 = 1_694_131_200_000
NOW_MS = T0 + 1_000
SYMBOL = "NEARUSDT"
MakeTable = Callable[..., Any]


def order(side: str, quantity: str = "1000", **more: str) -> dict[str, str]:
    return {"symbol": SYMBOL, "side": side, "type": "MARKET", "quantity": quantity} | more


def limit(side: str, price: str, quantity: str = "1000", in_force: str = "GTC", **more: str) -> dict[str, str]:
    return order(side, quantity, type="LIMIT", price=price, timeInForce=in_force, **more)


def test_opening_and_closing_costs_the_taker_fee_twice_and_the_spread(table: MakeTable) -> None:
    # Bought at the best ask 4.000 and sold at the best bid 3.999: profit −1; fees 2 and 1.9995 USDT.
    made = table([4.0] * 10)
    bought = made.engine.place(made.account, order("BUY"), NOW_MS)
    assert (bought.status, bought.average) == ("FILLED", 4.0)
    assert made.account.wallet == pytest.approx(9_998, abs=1e-9)
    made.engine.place(made.account, order("SELL", reduceOnly="true"), NOW_MS)
    assert made.account.wallet == pytest.approx(10_000 - 2 - 1.9995 - 1, abs=1e-9)
    assert made.incomes("COMMISSION") == pytest.approx([-2.0, -1.9995])
    assert made.incomes("REALIZED_PNL") == pytest.approx([-1.0])
    kinds = [event["o"]["x"] if "o" in event else event["e"] for event in made.events]
    assert kinds == ["NEW", "TRADE_LITE", "ACCOUNT_UPDATE", "TRADE"] * 2


def test_a_big_order_walks_the_book(table: MakeTable) -> None:
    made = table([4.0] * 10, volume=1_000.0)
    book = book_at(made.market, NOW_MS)
    best = [(price_of(made.market, ticks), units) for ticks, units in book.asks[:3]]
    assert [price for price, _ in best] == [4.0, 4.001, 4.002]
    wanted = best[0][1] + best[1][1] + 1
    placed = made.engine.place(made.account, order("BUY", str(wanted)), NOW_MS)
    worth = 4.0 * best[0][1] + 4.001 * best[1][1] + 4.002
    assert (placed.status, placed.quote) == ("FILLED", pytest.approx(worth))
    assert [trade.quantity for trade in made.account.trades] == [best[0][1], best[1][1], 1]


def test_a_limit_order_fills_as_maker_when_the_price_goes_through(table: MakeTable) -> None:
    made = table([4.0, 4.0, 3.9, 3.9, 3.8, 3.8])
    rested = made.engine.place(made.account, limit("BUY", "3.9"), NOW_MS)
    passage.advance(made.engine, T0 + 3 * MINUTE_MS)
    assert rested.status == "NEW"  # at its price the orders before it are filled
    passage.advance(made.engine, T0 + 4 * MINUTE_MS)
    assert (rested.status, rested.average) == ("FILLED", pytest.approx(3.9))
    assert made.account.wallet == pytest.approx(10_000 - 1000 * 3.9 * 0.0002, abs=1e-9)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (limit("BUY", "3.999", in_force="FOK"), -5021),
        (limit("BUY", "4.0", in_force="GTX"), -5022),
        (order("SELL", reduceOnly="true"), -2022),
        (order("BUY", type="STOP_MARKET", stopPrice="3"), -4120),
        (order("BUY", price="4"), -1106),
        (order("BUY", timeInForce="GTC"), -1114),
        (order("BUY", positionSide="LONG"), -4061),
        (order("BUY", newClientOrderId="ä"), -4015),
        (order("BUY", "0"), -4003),
        (order("BUY", "1"), -4164),
        (order("BUY", "10.5"), -1111),
        (order("BUY", "1E99"), -1102),
        (order("BUY", "NaN"), -1102),
        (order("BUY", "110001"), -4005),
        (limit("BUY", "3.9995"), -4014),
        (limit("BUY", "0.047"), -4013),
        (limit("BUY", "4.5"), -4016),
        (limit("SELL", "3.5"), -4024),
        (limit("BUY", "4", in_force="DAY"), -1115),
        (order("HOLD"), -1117),
        (order("BUY", "50000"), -2019),  # 200,000 / 20 = 10,000 USDT and the reserve
    ],
)
def test_what_an_order_is_refused_for(table: MakeTable, wanted: dict[str, str], code: int) -> None:
    made = table([4.0] * 10)
    with pytest.raises(ExchangeRefusal) as refusal:
        made.engine.place(made.account, wanted, NOW_MS)
    assert refusal.value.code == code
    assert (made.account.open_orders, made.account.wallet, made.events) == ({}, 10_000, [])


def test_immediate_orders_expire_with_what_they_could_not_take(table: MakeTable) -> None:
    made = table([4.0] * 10, volume=1_000.0)
    best = book_at(made.market, NOW_MS).asks[0][1]
    placed = made.engine.place(made.account, limit("BUY", "4.0", str(best + 7), "IOC"), NOW_MS)
    assert (placed.status, placed.executed) == ("EXPIRED", best)
    assert (made.events[-1]["o"]["X"], made.events[-1]["o"]["er"]) == ("EXPIRED", "2")


def test_reduce_only_orders_never_turn_a_position(table: MakeTable) -> None:
    made = table([4.0, 4.0, 4.2, 4.2])
    made.engine.place(made.account, order("BUY", "100"), NOW_MS)
    resting = made.engine.place(made.account, limit("SELL", "4.1", "150", reduceOnly="true"), NOW_MS)
    with pytest.raises(ExchangeRefusal) as refusal:
        made.engine.place(made.account, limit("SELL", "4.1", "100", reduceOnly="true"), NOW_MS)
    assert refusal.value.code == -2022  # the first one covers the position
    passage.advance(made.engine, T0 + 2 * MINUTE_MS)
    assert (resting.executed, resting.status) == (100.0, "EXPIRED")
    assert made.account.position(SYMBOL).amount == 0.0
    assert made.incomes("REALIZED_PNL") == pytest.approx([10.0])


def test_funding_is_paid_once_at_its_stamp_on_the_mark_price(table: MakeTable) -> None:
    # At the stamp the next funding is a whole period away: mark = 4 · (1 + 0.0001).
    made = table([4.0] * 600)
    made.engine.place(made.account, order("BUY"), NOW_MS)
    before = made.account.wallet
    for after_ms in (-1, 0, 1, HOUR_MS):
        passage.advance(made.engine, T0 + 8 * HOUR_MS + after_ms)
    assert made.incomes("FUNDING_FEE") == pytest.approx([-1000 * 4.0004 * 0.0001], abs=1e-12)
    assert before - made.account.wallet == pytest.approx(0.40004, abs=1e-9)
    update = next(event for event in made.events if event.get("a", {}).get("m") == "FUNDING_FEE")
    assert (update["a"]["B"][0]["bc"], update["a"]["P"]) == ("-0.40004000", [])


def test_margins_of_the_account_as_the_specification_has_them(table: MakeTable) -> None:
    # 1000 bought at 4.000 with leverage 20 and a bid of 500 at 3.9; index 4, so mark = 4 · (1 + 0.0001 · what is left).
    made = table([4.0] * 10)
    made.engine.place(made.account, order("BUY"), NOW_MS)
    made.engine.place(made.account, limit("BUY", "3.9", "500"), NOW_MS)
    mark = 4 * (1 + 0.0001 * (8 * HOUR_MS - 1_000) / (8 * HOUR_MS))
    assert made.market.mark(NOW_MS) == pytest.approx(mark, abs=1e-12)
    own = AccountView(made.account, made.engine.markets, made.engine.brackets, NOW_MS).asset()
    profit, initial, orders = 1000 * (mark - 4), 1000 * mark / 20, 500 * 3.9 / 20
    for name, value in (
        ("walletBalance", 9_998.0), ("unrealizedProfit", profit), ("maintMargin", 1000 * mark * 0.01),
        ("positionInitialMargin", initial), ("openOrderInitialMargin", orders), ("crossUnPnl", profit),
        ("availableBalance", 9_998 + profit - initial - orders), ("maxWithdrawAmount", 9_998 - initial - orders),
    ):  # fmt: skip
        assert float(own[name]) == pytest.approx(value, abs=2e-8), name


def test_a_liquidated_isolated_position_costs_its_margin_and_no_more(table: MakeTable) -> None:
    # Liquidation price (400 − 4000) / (10 − 1000) = 3.6364. The mark price lags behind the last one.
    made = table([4.0, 4.0, 3.64, 3.64, 3.64, 3.6, 3.6, 3.6])
    made.engine.set_leverage(made.account, SYMBOL, 10, NOW_MS)
    made.engine.set_margin_type(made.account, SYMBOL, True, NOW_MS)
    made.engine.place(made.account, order("BUY"), NOW_MS)
    resting = made.engine.place(made.account, limit("SELL", "4.2", "100"), NOW_MS)
    position = made.account.position(SYMBOL)
    assert (position.isolated_wallet, made.account.wallet) == (pytest.approx(400), pytest.approx(9_598))
    row = AccountView(made.account, made.engine.markets, made.engine.brackets, NOW_MS).risk_row(SYMBOL, "v3")
    assert float(row["liquidationPrice"]) == pytest.approx(3600 / 990, abs=1e-8)
    passage.advance(made.engine, T0 + 4 * MINUTE_MS)
    assert position.amount == 1000.0
    passage.advance(made.engine, T0 + 7 * MINUTE_MS)
    assert (position.amount, resting.status) == (0.0, "EXPIRED")
    assert made.account.balance() == pytest.approx(9_598, abs=1e-9)
    assert sum(made.incomes("REALIZED_PNL")) + sum(made.incomes("INSURANCE_CLEAR")) == pytest.approx(-400, abs=1e-9)
    last = made.events[-1]["o"]
    assert (last["c"][:10], last["x"], last["X"]) == ("autoclose-", "TRADE", "FILLED")


def test_a_liquidated_crossed_account_is_empty_but_not_in_debt(table: MakeTable) -> None:
    # 40,000 at 4.000: fee 80; liquidated where 9920 + 40,000 (p − 4) = 600 p − 100, that is at 149,980 / 39,400 = 3.8066.
    # What is left there (at most 2184 USDT) is less than the clearance fee of 1.5 %.
    made = table([4.0, 4.0, 3.81, 3.81, 3.81, 3.7, 3.7, 3.7])
    made.engine.place(made.account, order("BUY", "40000"), NOW_MS)
    assert made.account.wallet == pytest.approx(9_920, abs=1e-9)
    passage.advance(made.engine, T0 + 4 * MINUTE_MS)
    assert made.account.position(SYMBOL).amount == 40_000
    passage.advance(made.engine, T0 + 7 * MINUTE_MS)
    assert made.account.position(SYMBOL).amount == 0
    assert made.account.wallet == pytest.approx(0.0, abs=1e-9)
    taken_over = made.account.trades[-1]
    assert 3.7 < taken_over.price < 3.8066
    assert sum(income.amount for income in made.account.incomes) == pytest.approx(-10_000, abs=1e-8)


def test_leverage_obeys_brackets_and_margin(table: MakeTable) -> None:
    made = table([4.0] * 10)
    made.engine.place(made.account, order("BUY", "40000"), NOW_MS)
    for leverage, code in ((76, -4028), (75, -2027), (2, -2028)):
        with pytest.raises(ExchangeRefusal) as refusal:
            made.engine.set_leverage(made.account, SYMBOL, leverage, NOW_MS)
        assert refusal.value.code == code
    assert made.account.position(SYMBOL).leverage == 20
    with pytest.raises(ExchangeRefusal) as refusal:
        made.engine.set_margin_type(made.account, SYMBOL, True, NOW_MS)
    assert refusal.value.code == -4048


def test_margin_of_an_isolated_position_is_added_and_taken_back_within_its_limits(table: MakeTable) -> None:
    # 1000 at 4.000 with leverage 10: 400 in the isolated wallet, 9,598 beside it; maintenance margin 1 % of 4,000.
    made = table([4.0] * 10)
    engine, account = made.engine, made.account

    def code(amount: float, adding: bool) -> int:
        with pytest.raises(ExchangeRefusal) as refusal:
            engine.move_margin(account, SYMBOL, amount, adding, NOW_MS)
        return refusal.value.code

    assert (code(0.0, True), code(1.0, True)) == (-4055, -4049)
    engine.set_leverage(account, SYMBOL, 10, NOW_MS)
    engine.set_margin_type(account, SYMBOL, True, NOW_MS)
    assert code(1.0, True) == -4054
    engine.place(account, order("BUY"), NOW_MS)
    mark, position = made.market.mark(NOW_MS), account.position(SYMBOL)
    assert (code(9_598.01, True), code(5.0, False)) == (-4050, -4051)
    engine.move_margin(account, SYMBOL, 600.0, True, NOW_MS)
    assert (position.isolated_wallet, account.wallet) == (pytest.approx(1_000), pytest.approx(8_998))
    # 1,000 + 1000 (mark − 4) − 1000 · mark / 10 can be taken back
    most = 1_000 + 1000 * (mark - 4) - 100 * mark
    assert code(most + 0.001, False) == -4051
    engine.move_margin(account, SYMBOL, most - 0.001, False, NOW_MS)
    assert account.balance() == pytest.approx(9_998, abs=1e-9)
    assert made.events[-1]["a"]["m"] == "MARGIN_TRANSFER"


def test_accounts_do_not_touch_each_other(table: MakeTable) -> None:
    made = table([4.0] * 10)
    other = Account(name="other")
    made.engine.state.accounts["other"] = other
    made.engine.place(made.account, order("BUY", newClientOrderId="same"), NOW_MS)
    assert made.engine.place(other, limit("SELL", "4.1", newClientOrderId="same"), NOW_MS).status == "NEW"
    assert (other.wallet, other.position(SYMBOL).amount, len(made.account.open_orders)) == (10_000, 0, 0)


@pytest.fixture(scope="module")
def recorded(instrument: Instrument) -> Market:
    return Market(instrument, MarketStore(Path(__file__).parents[3] / "assets" / "sample"))


_STEPS = st.one_of(
    st.tuples(st.sampled_from(("BUY", "SELL")), st.integers(10, 60_000), st.sampled_from((None, 0.98, 0.998, 1.002, 1.02)),
              st.sampled_from(("GTC", "IOC", "GTX")), st.booleans()),
    st.tuples(st.just("leverage"), st.integers(1, 75)),
    st.tuples(st.just("isolated"), st.booleans()),
    st.tuples(st.just("margin"), st.floats(0.01, 500), st.booleans()),
    st.tuples(st.just("minutes"), st.integers(1, 500)),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, min_size=3, max_size=12))
def test_the_wallet_is_the_start_and_every_income(recorded: Market, rules: Rules, steps: list[Any]) -> None:
    account, now_ms = Account(name="demo"), NOW_MS
    state = ExchangeState(now_ms, {"demo": account}, {})
    engine = Engine({SYMBOL: recorded}, {SYMBOL: rules}, state, lambda *_: None)
    for step in steps:
        try:
            if step[0] == "leverage":
                engine.set_leverage(account, SYMBOL, step[1], now_ms)
            elif step[0] == "isolated":
                engine.set_margin_type(account, SYMBOL, step[1], now_ms)
            elif step[0] == "margin":
                engine.move_margin(account, SYMBOL, step[1], step[2], now_ms)
            elif step[0] == "minutes":
                now_ms += step[1] * MINUTE_MS
                passage.advance(engine, now_ms)
            else:
                side, quantity, share, in_force, reduce_only = step
                more = {"reduceOnly": str(reduce_only)}
                price = f"{recorded.price(now_ms) * share:.3f}" if share else ""
                wanted = (
                    limit(side, price, str(quantity), in_force, **more) if share else order(side, str(quantity), **more)
                )
                engine.place(account, wanted, now_ms)
        except ExchangeRefusal:
            continue
        assert account.balance() == pytest.approx(10_000 + sum(each.amount for each in account.incomes), abs=1e-8)
        held = sum(trade.quantity * (1 if trade.side == "BUY" else -1) for trade in account.trades)
        assert account.position(SYMBOL).amount == pytest.approx(held, abs=1e-9)
        assert all(position.isolated_wallet >= 0 for position in account.positions.values() if not position.amount)
