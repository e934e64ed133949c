"""An actual account in the trade manager: its minutes wait for the exchange, its positions are the exchange's."""

from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from atm.analyzers.pipeline import AnalysisPipeline
from atm.managers.actual_account import ActualAccount, Facts
from atm.managers.trade_setups import Configurations
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.journal import Halted, Target
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.trading.actual import Held
from tests.trading.scene import ANALYSIS, engine

X = "XUSDT"
WIDE = RotationalGaussian1(theta=0.5, alpha=100, beta0=100, beta1=100)
TRADE = TradeConfiguration("t", leverage=2, method=RemainingQuantity(long=WIDE, short=WIDE))
SETUP = AccountSetup(
    "first", AccountKind.ACTUAL, {"USDT": AssetSetup(0)}, (PositionSetup(X, "a", "t"),), trading=True
)  # fmt: skip


class Source:
    """What the exchange says, by hand."""

    def __init__(self) -> None:
        self.known: Facts | None = None
        self.taken = 0
        self.moving: set[str] = set()

    def facts(self, name: str) -> Facts | None:
        return self.known

    def consumed(self, name: str) -> None:
        self.taken += 1

    def engaged(self, name: str) -> set[str]:
        return self.moving

    def halts(self, name: str) -> tuple[Halted, ...]:
        return (Halted("", "drawdown", False, 1),)


def bar(minute: int) -> Bar:
    return Bar(minute * MINUTE_MS, 100.0, 100.0, 100.0, 100.0, 1, 1, 1, 1, 1)


def flip() -> tuple[float, ...]:
    """A row in which a cycle begins and everything else is the bar."""
    columns = AnalysisPipeline(ANALYSIS).columns
    values = dict.fromkeys(columns, np.nan)
    for name in columns:
        last = name.rsplit(".", 1)[-1]
        known = {"open": 100.0, "high": 100.0, "low": 100.0, "close": 100.0, "cycle": 1.0, "cycle_updated": 1.0,
                 "cycle_begin": 100.0, "cycle_index": 0.0, "filtered_delta": 0.0}  # fmt: skip
        values[name] = known.get(last, np.nan)
    return tuple(values.values())


def test_minutes_wait_for_the_exchange_and_decisions_are_on_its_wallet() -> None:
    source = Source()
    account = ActualAccount(SETUP, engine(TRADE, allocated=None), source)
    account.begin(0, Configurations({"a": ANALYSIS}, {"t": TRADE}))
    barrier = account.barrier
    assert barrier is not None
    interval = ANALYSIS.decision.nominal_ms // MINUTE_MS
    for minute in range(interval):
        barrier.add_bar(X, bar(minute))
    barrier.add_row(f"{X}/a", interval * MINUTE_MS, flip())
    assert account.process(1_000) == 0
    assert account.open_symbols() == set()
    source.moving = {X}
    assert account.open_symbols() == {X}, "what is on its way to the exchange is not flat"
    assert account.snapshot({}).reason == "waits for the exchange"
    source.known = Facts({}, {"USDT": 1_000.0}, 1_000.0)
    assert account.process(1_000) == interval
    assert source.taken == 1
    (target,) = account.targets.values()
    account.committed()
    assert not account.targets
    assert target.decision_ms == interval * MINUTE_MS
    assert 0 < abs(target.quantity) * 100 <= 2 * 1_000, "at most leverage times the exchange's wallet"
    source.known = replace(source.known, held={X: Held(float(target.quantity), 100.0)})
    barrier.add_bar(X, bar(interval))
    assert account.process(1) == 1
    (position,) = account.snapshot({}).positions
    assert Decimal(str(position.quantity)) == target.quantity
    assert [halt.reason for halt in account.snapshot({}).halts] == ["drawdown"]
    assert account.snapshot({}).kind is AccountKind.ACTUAL
    assert account.progress().trades == [], "fills are the exchange's"


def test_a_changed_set_up_keeps_what_was_decided_and_is_not_in_the_journal_yet() -> None:
    old = ActualAccount(SETUP, engine(TRADE, allocated=None), Source())
    wanted, gone = Target(X, Decimal(5), MINUTE_MS), Target("GONEUSDT", Decimal(7), MINUTE_MS)
    old.targets = {X: wanted, "GONEUSDT": gone}
    changed = ActualAccount(SETUP, engine(TRADE, allocated=None), Source())
    changed.take_over(old)
    assert changed.targets == {X: wanted}
