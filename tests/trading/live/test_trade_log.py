"""The trade log of a live account, its numbers reckoned by hand."""

from __future__ import annotations

import math
from decimal import Decimal

from atm.model.account import TradeReason
from atm.model.journal import KILLED, Adjusted, JournalEntry, LiveState, Target, TargetSet
from atm.model.live_order import OrderFill, OrderIntent, Purpose
from atm.model.order import Side
from atm.model.order_facts import Filled, Intended, Sent
from atm.trading.live.journal_fold import KEPT_COMPLETE, apply, restored
from atm.trading.live.trade_log import TradeLog

X = "XUSDT"
WALLETS, QUOTE = {"USDT": Decimal("990")}, {X: "USDT"}


def order(name: str, side: Side, purpose: Purpose, quantity: str, trigger: str = "") -> list[JournalEntry]:
    stop = Decimal(trigger) if trigger else None
    intent = OrderIntent(name, X, side, purpose, Decimal(quantity), 600_000, 0, trigger=stop)
    return [Intended(intent, 1), Sent(name, 1)]


def fill(name: str, number: int, quantity: str, price: str, fee: str | None, profit: str = "0") -> Filled:
    commission = None if fee is None else Decimal(fee)
    at = OrderFill(number, Decimal(quantity), Decimal(price), 700_000, False, commission, "USDT", Decimal(profit))
    return Filled(name, at)


def target(quantity: str, exposure: float, reason: str = "") -> TargetSet:
    return TargetSet(Target(X, Decimal(quantity), 600_000, reason=reason, exposure=exposure), 1)


STORY: list[JournalEntry] = [
    target("30", 0.5), *order("a", Side.BUY, Purpose.OPEN, "30"),
    fill("a", 1, "10", "3.00", None), fill("a", 1, "10", "3.00", "0.015"), fill("a", 2, "20", "3.30", "0.033"),
    target("10", 0.2), *order("b", Side.SELL, Purpose.CLOSE, "20"), fill("b", 3, "20", "3.40", "0.034", "4"),
    Adjusted(X, Decimal("5"), False, "outside", 2),
    *order("c", Side.SELL, Purpose.STOP, "0", "2.9"), fill("c", 4, "15", "2.9", "0.02", "-4.5"),
]  # fmt: skip


def logged(story: list[JournalEntry], state: LiveState, log: TradeLog) -> list:
    found = []
    for entry in story:
        state = apply(state, entry)
        found += log.records([entry], state, WALLETS, QUOTE)
    return found


def test_fills_become_records_with_what_the_decision_wanted() -> None:
    found = logged(STORY, LiveState(), TradeLog(LiveState(), {}))
    assert [(each.side, each.reason, each.quantity, each.fee, each.profit) for each in found] == [
        (Side.BUY, TradeReason.ENTRY, 10, 0.015, 0), (Side.BUY, TradeReason.ENTRY, 20, 0.033, 0),
        (Side.SELL, TradeReason.EXIT, 20, 0.034, 4), (Side.SELL, TradeReason.STOP_IMMEDIATE, 15, 0.02, -4.5),
    ]  # fmt: skip
    assert [each.quantity_after for each in found] == [10, 30, 10, 0]
    assert [round(each.entry_price_after, 9) for each in found[:3]] == [3.0, 3.2, 3.2]
    assert math.isnan(found[3].entry_price_after)
    assert [(each.target_before, each.target_after) for each in found] == [(0, 0.5), (0.5, 0.5), (0.5, 0.2), (0.2, 0)]
    assert [each.decision_ms for each in found] == [600_000, 600_000, 600_000, 0]
    assert {each.wallet_after for each in found} == {990.0}


def test_each_of_many_fills_that_are_learnt_at_once_is_logged_although_the_state_forgets_their_orders() -> None:
    number = 2 * KEPT_COMPLETE
    placed = [entry for each in range(number) for entry in order(f"o{each}", Side.BUY, Purpose.OPEN, "1")]
    state = restored(placed)
    log, fills = TradeLog(state, {}), [fill(f"o{each}", each, "1", "3.0", "0.01") for each in range(number)]
    for entry in fills:
        state = apply(state, entry)
    assert len(state.orders) == KEPT_COMPLETE
    assert [each.trade_id for each in log.records(fills, state, WALLETS, QUOTE)] == list(range(number))


def test_a_log_that_begins_anew_anywhere_goes_on_as_if_it_had_not() -> None:
    whole = logged(STORY, LiveState(), TradeLog(LiveState(), {}))
    for cut in range(len(STORY)):
        first = logged(STORY[:cut], LiveState(), TradeLog(LiveState(), {}))
        state = restored(STORY[:cut])
        second = logged(STORY[cut:], state, TradeLog(state, {each.symbol: each for each in first}))
        assert repr(first + second) == repr(whole)


def test_what_the_user_closes_is_said_to_be_forced_and_a_turn_takes_the_price_of_the_turn() -> None:
    story = [
        target("10", 1.0), *order("a", Side.BUY, Purpose.OPEN, "10"), fill("a", 1, "10", "3", "0"),
        target("0", 0.0, KILLED), *order("b", Side.SELL, Purpose.CLOSE, "12"), fill("b", 2, "12", "4", "0"),
    ]  # fmt: skip
    last = logged(story, LiveState(), TradeLog(LiveState(), {}))[-1]
    assert last.reason is TradeReason.FORCE_CLEAR
    assert (last.quantity_after, last.entry_price_after, last.target_after) == (-2, 4.0, 0.0)


def test_a_fee_in_another_asset_is_logged_with_its_asset_and_not_among_the_fees() -> None:
    paid = OrderFill(9, Decimal("10"), Decimal("3"), 700_000, False, Decimal("0.00002"), "BNB", Decimal("0"))
    story = [*order("a", Side.BUY, Purpose.OPEN, "10"), Filled("a", paid)]
    (record,) = logged(story, LiveState(), TradeLog(LiveState(), {}))
    assert (record.fee, record.other_fee, record.other_fee_asset) == (0.0, 0.00002, "BNB")
    assert record.trade_id == 9
