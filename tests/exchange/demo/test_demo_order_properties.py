"""What the demo exchange promises of orders whatever is asked of it: sequences of requests on the recorded market."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atm.exchange.demo import algo, amending, passage
from atm.exchange.demo.account import Account, ExchangeState
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import Market
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.rules import Rules
from atm.exchange.demo.states import CONDITIONAL_STATES, ORDER_STATES
from atm.model.interval import MINUTE_MS
from atm.storage.market_store import MarketStore

NOW_MS = 1_694_131_200_000 + 1_000
SYMBOL = "NEARUSDT"

_SIDES = st.sampled_from(("BUY", "SELL"))
_SHARES = st.sampled_from((0.97, 0.99, 0.998, 0.9995, 1.0, 1.0005, 1.002, 1.01, 1.03))
_STEPS = st.one_of(
    st.tuples(st.just("market"), _SIDES, st.integers(10, 60_000), st.booleans()),
    st.tuples(st.just("limit"), _SIDES, st.integers(10, 60_000), _SHARES,
              st.sampled_from(("GTC", "IOC", "FOK", "GTX")), st.booleans()),
    st.tuples(st.just("conditional"), _SIDES, st.integers(10, 20_000), _SHARES,
              st.sampled_from(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")),
              st.sampled_from(("plain", "reduce", "close")), st.booleans()),
    st.tuples(st.just("amend"), st.integers(0, 3), st.integers(10, 30_000), _SHARES),
    st.tuples(st.just("cancel"), st.integers(0, 3)),
    st.tuples(st.just("isolated"), st.booleans()),
    st.tuples(st.just("leverage"), st.integers(1, 75)),
    st.tuples(st.just("minutes"), st.integers(1, 120)),
)  # fmt: skip


class Watched:
    """An engine on the recorded market whose fills are checked as they come."""

    def __init__(self, market: Market, rules: Rules) -> None:
        self.account, self.market, self.now_ms = Account(name="demo"), market, NOW_MS
        state = ExchangeState(self.now_ms, {"demo": self.account}, {})
        self.engine = Engine({SYMBOL: market}, {SYMBOL: rules}, state, self._check)
        self.held = 0.0

    def _check(self, account: Account, event: dict[str, Any]) -> None:
        body = event.get("o", {})
        if event["e"] != "ORDER_TRADE_UPDATE" or body["x"] != "TRADE":
            return
        signed = float(body["l"]) * (1 if body["S"] == "BUY" else -1)
        after = round(self.held + signed, 9)
        assert float(body["z"]) <= float(body["q"]) + 1e-9, "filled beyond the quantity"
        if body["R"]:
            assert abs(after) < abs(self.held) and after * self.held >= 0, "a reduce-only order opened"
        assert not (body["f"] == "GTX" and not body["m"]), "a post-only order took"
        self.held = after

    def carry_out(self, step: tuple[Any, ...]) -> None:
        engine, account, price = self.engine, self.account, self.market.price(self.now_ms)
        if step[0] == "minutes":
            self.now_ms += step[1] * MINUTE_MS
            passage.advance(engine, self.now_ms)
        elif step[0] == "market":
            wanted = {"side": step[1], "type": "MARKET", "quantity": str(step[2]), "reduceOnly": str(step[3])}
            engine.place(account, {"symbol": SYMBOL} | wanted, self.now_ms)
        elif step[0] == "limit":
            wanted = {"side": step[1], "type": "LIMIT", "quantity": str(step[2]), "price": f"{price * step[3]:.3f}"}
            wanted |= {"timeInForce": step[4], "reduceOnly": str(step[5])}
            placed = engine.place(account, {"symbol": SYMBOL} | wanted, self.now_ms)
            assert step[4] != "FOK" or placed.executed == float(placed.quantity) or placed.reduce_only
        elif step[0] == "conditional":
            algo.place(engine, account, self._conditional(step, price), self.now_ms)
        elif step[0] == "isolated":
            engine.set_margin_type(account, SYMBOL, step[1], self.now_ms)
        elif step[0] == "leverage":
            engine.set_leverage(account, SYMBOL, step[1], self.now_ms)
        else:
            self._change_resting(step, price)

    def _change_resting(self, step: tuple[Any, ...], price: float) -> None:
        resting = list(self.account.open_orders.values())
        if not resting:
            return
        chosen = resting[step[1] % len(resting)]
        named = {"symbol": SYMBOL, "orderId": str(chosen.order_id)}
        if step[0] == "cancel":
            self.engine.cancel(self.account, named, self.now_ms)
        else:
            wanted = {"side": chosen.side, "quantity": str(step[2]), "price": f"{price * step[3]:.3f}"}
            amending.amend(self.engine, self.account, named | wanted, self.now_ms)

    @staticmethod
    def _conditional(step: tuple[Any, ...], price: float) -> dict[str, str]:
        _, side, quantity, share, kind, how, by_mark = step
        wanted = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": side, "type": kind, "quantity": str(quantity)}
        if not kind.startswith("TRAILING"):
            wanted["triggerPrice"] = f"{price * share:.3f}"
        if kind in ("STOP", "TAKE_PROFIT"):
            wanted["price"] = f"{price * share:.3f}"
        if kind.startswith("TRAILING"):
            wanted["callbackRate"] = "0.5"
        if how == "close":
            del wanted["quantity"]
            wanted["closePosition"] = "true"
        elif how == "reduce":
            wanted["reduceOnly"] = "true"
        return wanted | ({"workingType": "MARK_PRICE"} if by_mark else {})

    def check(self) -> None:
        account = self.account
        total = 10_000 + sum(each.amount for each in account.incomes)
        assert account.balance() == pytest.approx(total, abs=1e-8)
        assert account.position(SYMBOL).amount == pytest.approx(self.held, abs=1e-9)
        for each in account.open_orders.values():
            assert each.status in ("NEW", "PARTIALLY_FILLED") and 0 <= each.executed < float(each.quantity)
            assert each.type == "LIMIT" and each.time_in_force in ("GTC", "GTX", "GTD")
        assert all(not ORDER_STATES[each.status] for each in account.old_orders)
        assert all(each.status in ("NEW", "TRIGGERED") for each in account.conditionals.values())
        assert all(not CONDITIONAL_STATES[each.status] for each in account.old_conditionals)


@pytest.fixture(scope="module")
def recorded(instrument: Any) -> Market:
    return Market(instrument, MarketStore(Path(__file__).parents[3] / "assets" / "sample"))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, min_size=3, max_size=25))
def test_orders_keep_their_promises_whatever_is_asked(recorded: Market, rules: Rules, steps: list[Any]) -> None:
    watched = Watched(recorded, rules)
    for step in steps:
        with suppress(ExchangeRefusal):
            watched.carry_out(step)
        watched.check()
