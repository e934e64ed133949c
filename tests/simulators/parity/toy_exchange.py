"""An actual account on an exchange of a few lines, recorded for a day: what its fills cost more than the backtest's is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from atm.analyzers.pipeline import AnalysisPipeline
from atm.managers.actual_account import ActualAccount, Facts
from atm.managers.parity_recorder import ParityRecorder
from atm.managers.trade_accounts import make_engine
from atm.managers.trade_setups import Configurations
from atm.model.account import AccountKind, AssetSetup, TradeReason, TradeRecord
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.journal import Halted, Target
from atm.model.order import Side
from atm.model.parity_record import DAY_BEGAN
from atm.simulators.parity import RecordedDay
from atm.storage.market_store import MarketStore
from atm.trading.actual import Held
from tests.managers.trade_harness import ACCOUNT, ANALYSIS, SYMBOLS, T0, TRADE, instrument, walk

SYMBOL = SYMBOLS[0]
HISTORY = 300
CALM = msgspec.structs.replace(TRADE, full_stop_loss_immediate=None)
SETUP = msgspec.structs.replace(
    ACCOUNT,
    name="live",
    kind=AccountKind.ACTUAL,
    assets={"USDT": AssetSetup(10_000.0, 0.8)},
    positions=ACCOUNT.positions[:1],
    costs=msgspec.structs.replace(ACCOUNT.costs, funding_hours=1),
)


@dataclass
class ToyExchange:
    """Fills a target at the next minute's open, `slip` worse, on the tick; every hour `funding` of the notional is paid. early: it is
    booked before the account hears of the minute before."""

    slip: float = 0.0
    fee: float = 0.0005
    funding: float = 0.0001
    unfilled: frozenset[int] = frozenset()
    early: bool = False
    wallet: float = 10_000.0
    quantity: float = 0.0
    entry: float = 0.0
    fills: list[TradeRecord] = field(default_factory=list)

    # --- FactSource

    def facts(self, name: str) -> Facts | None:
        held = {SYMBOL: Held(self.quantity, self.entry)} if self.quantity else {}
        return Facts(held, {"USDT": self.wallet}, self.wallet)

    def consumed(self, name: str) -> None:
        """Nothing is told once."""

    def halts(self, name: str) -> tuple[Halted, ...]:
        return ()

    def engaged(self, name: str) -> set[str]:
        return set()

    # --- market

    def open(self, time_ms: int, price: float, target: Target | None) -> None:
        """A minute opens: funding, then what is wanted."""
        if not self.early:
            self.fund(time_ms, price)
        if target is None or target.decision_ms in self.unfilled:
            return
        wanted = float(target.quantity)
        if wanted * self.quantity < 0.0:
            self._fill(time_ms, -self.quantity, price, target)
        if wanted != self.quantity:
            self._fill(time_ms, wanted - self.quantity, price, target)

    def fund(self, time_ms: int, price: float) -> None:
        """Book the funding of a stamp."""
        if self.quantity and time_ms % (60 * MINUTE_MS) == 0:
            self.wallet -= self.quantity * price * self.funding

    def _fill(self, time_ms: int, quantity: float, price: float, target: Target) -> None:
        side = 1 if quantity > 0 else -1
        paid = round(price * (1 + side * self.slip), 4)
        profit, after = 0.0, round(self.quantity + quantity, 1)
        if quantity * self.quantity < 0.0:
            profit = -quantity * (paid - self.entry)
        elif after:
            self.entry = (self.entry * self.quantity + paid * quantity) / after
        self.quantity = after
        fee = abs(quantity) * paid * self.fee
        self.wallet += profit - fee
        reason = TradeReason.ENTRY if profit == 0.0 else TradeReason.EXIT
        self.fills.append(
            TradeRecord(
                len(self.fills), time_ms + 350, target.decision_ms, SYMBOL, Side.BUY if side > 0 else Side.SELL, reason,
                abs(quantity), paid, profit, fee, after, self.entry, self.wallet,
            )
        )  # fmt: skip


def lived(folder: Path, exchange: ToyExchange, minutes: int = 600) -> tuple[RecordedDay, MarketStore]:
    """A day of the account, as it would be stored."""
    bars = walk(7, HISTORY + minutes, T0 + DAY_MS - HISTORY * MINUTE_MS)
    writer = MarketStore(folder / "market", read_only=False)
    writer.append(SYMBOL, bars)
    configurations = Configurations({"A5": ANALYSIS}, {"T": CALM})
    instruments = {SYMBOL: instrument(SYMBOL)}
    account = ActualAccount(SETUP, make_engine(SETUP, configurations, instruments), exchange)
    account.recorder = ParityRecorder(configurations, instruments)
    pipeline = AnalysisPipeline(ANALYSIS)
    begin = T0 + DAY_MS
    account.begin(begin, configurations)
    assert account.barrier is not None
    key = f"{SYMBOL}/A5"
    waits: Target | None = None
    for index in range(len(bars)):
        bar = bars.bar(index)
        row = pipeline.advance(bar)
        if bar.open_time < begin:
            continue
        exchange.open(bar.open_time, bar.open, waits)
        if exchange.early:
            exchange.fund(bar.open_time + MINUTE_MS, bar.close)
        account.barrier.add_bar(SYMBOL, bar)
        if row is not None:
            account.barrier.add_row(key, row.close_time, tuple(row.values.tolist()))
        assert account.process(1) == 1
        waits = next(iter(account.targets.values()), None)
        account.committed()
    account.mark(DAY_BEGAN)
    progress = account.progress(lambda _: {key: int(bars.open_time[0])})
    first, after = progress.record.segments
    day = RecordedDay(
        "live", [first], progress.record.hours, after.begin_ms, after, None, exchange.fills, progress.equity
    )  # fmt: skip
    return day, MarketStore(folder / "market")
