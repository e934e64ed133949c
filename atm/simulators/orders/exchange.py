"""The demo exchange in memory: its engine and its handlers of signed requests, without sockets."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from atm.exchange.client.live_calls import Call
from atm.exchange.demo import passage
from atm.exchange.demo.account import Account, ExchangeState, Order
from atm.exchange.demo.account_answers import AccountAnswers
from atm.exchange.demo.conditional import Conditional
from atm.exchange.demo.conditional_answers import ConditionalAnswers
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import Market
from atm.exchange.demo.order_answers import OrderAnswers
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked
from atm.exchange.demo.rules import Rules
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS
from atm.storage.sample import load_exchange_info, load_instruments

SYMBOLS = ("FILUSDT", "NEARUSDT")
START_MS = 1_694_131_200_000 + MINUTE_MS
"""A minute after a funding stamp, 2023-09-08."""
MINUTES = 480
MOVE = 0.0015
"""Standard deviation of a minute's move."""
TURNOVER = 400_000.0
"""Quote volume of a minute: small enough that larger orders take several levels and limits fill in parts."""


class WrittenMinutes:
    """A source of minutes of one symbol."""

    def __init__(self, symbol: str, bars: Sequence[Bar]) -> None:
        self._symbol, self._bars = symbol, Bars.of(bars, Source.SAMPLE)

    def symbols(self) -> list[str]:
        return [self._symbol]

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (TimeRange(int(self._bars.open_time[0]), int(self._bars.open_time[-1]) + MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        return self._bars.between(start_ms, end_ms)


@lru_cache(maxsize=2)
def markets(assets: Path, minutes: int = MINUTES) -> tuple[dict[str, Market], dict[str, Rules]]:
    """Random walks on the filters of real symbols, the same in every run."""
    known = {each.symbol: each for each in load_instruments(assets)}
    entries = {entry["symbol"]: entry for entry in load_exchange_info(assets)["symbols"]}
    made = {symbol: Market(known[symbol], WrittenMinutes(symbol, _walk(known[symbol], minutes))) for symbol in SYMBOLS}
    return made, {symbol: Rules.of(entries[symbol]) for symbol in SYMBOLS}


def _walk(instrument: Instrument, minutes: int) -> list[Bar]:
    draw, tick = random.Random(instrument.symbol), float(instrument.tick_size)  # a market to look at, no secret
    decimals, price, bars = len(instrument.tick_size.rstrip("0").partition(".")[2]), 2_000 * tick, []

    def on_tick(value: float) -> float:
        return round(round(value / tick) * tick, decimals)

    for index in range(minutes):
        opened, closed = price, on_tick(price * (1 + draw.gauss(0.0, MOVE)))
        high = on_tick(max(opened, closed) * (1 + abs(draw.gauss(0.0, MOVE / 2))))
        low = on_tick(min(opened, closed) * (1 - abs(draw.gauss(0.0, MOVE / 2))))
        volume = float(round(TURNOVER / price))
        bought = float(round(volume / 2))
        row = (opened, high, low, closed, volume, volume * opened, 200.0, bought, bought * opened)
        bars.append(Bar(START_MS + index * MINUTE_MS, *row))
        price = closed
    return bars


class SimulatedExchange:
    """One account on its markets. `emit` gets the events of its user stream; minutes: length of the markets."""

    def __init__(
        self, assets: Path, now_ms: int, emit: Callable[[dict[str, Any]], None], minutes: int = MINUTES
    ) -> None:
        self.markets, rules = markets(assets, minutes)
        self.account = Account(name="main")
        state = ExchangeState(now_ms, {"main": self.account}, {})
        self.engine = Engine(self.markets, rules, state, lambda _, event: emit(event))
        self._past: list[tuple[int, Any]] = []
        self._handlers = (
            AccountAnswers(self.engine).handlers
            | OrderAnswers(self.engine).handlers
            | ConditionalAnswers(self.engine).handlers
        )

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return {symbol: market.instrument for symbol, market in self.markets.items()}

    def advance(self, now_ms: int) -> None:
        """Let the market run."""
        passage.advance(self.engine, now_ms)

    def call(self, call: Call, now_ms: int) -> Any:
        """Carry out a request. Raises ExchangeRefusal."""
        self.advance(now_ms)
        asked = Asked(f"v{call.version}", dict(call.parameters), now_ms, self.account)
        return self._handlers[call.method, f"v{call.version}/{call.path}"](asked)

    def remember_positions(self, now_ms: int) -> None:
        """Keep positions as they are now for those who ask later and are answered from a copy that lags."""
        self._past.append((now_ms, self._positions(now_ms)))

    def positions_at(self, ms: int) -> Any:
        """The answer of positionRisk that would have been given at a moment."""
        return next((document for at_ms, document in reversed(self._past) if at_ms <= ms), [])

    def _positions(self, now_ms: int) -> Any:
        return self._handlers["GET", "v3/positionRisk"](Asked("v3", {}, now_ms, self.account))

    def orders(self) -> list[Order]:
        """All orders that there have been."""
        return [*self.account.old_orders, *self.account.open_orders.values()]

    def conditionals(self) -> list[Conditional]:
        """All conditional orders that there have been."""
        return [*self.account.old_conditionals, *self.account.conditionals.values()]

    def amount(self, symbol: str) -> float:
        """Position, signed."""
        return self.account.position(symbol).amount

    def trade_by_hand(self, symbol: str, quantity: str, buys: bool, now_ms: int) -> bool:
        """An order at market that the program does not know of. Returns whether the exchange took it."""
        given = {"symbol": symbol, "side": "BUY" if buys else "SELL", "type": "MARKET", "quantity": quantity,
                 "newClientOrderId": f"web_{now_ms}"}  # fmt: skip
        try:
            self.call(Call("POST", 1, "order", given), now_ms)
        except ExchangeRefusal:
            return False
        return True
