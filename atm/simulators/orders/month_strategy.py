"""The strategy of the simulated month: the engine of an actual account on analyses of its minutes, as the trade manager runs it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.pipeline import AnalysisPipeline
from atm.exchange.demo.market import Market
from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, IntervalAnalyses, MultiMACD
from atm.model.bars import Bar, Bars, Source
from atm.model.interval import MINUTE_MS, Interval
from atm.model.journal import Target
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.trading.actual import ActualEngine, Held
from atm.trading.engine import AccountEngine

Floats = NDArray[np.float64]

INTERVAL = Interval.M15
ANALYSIS = AnalysisConfiguration(
    "month",
    (
        IntervalAnalyses(
            interval=INTERVAL,
            mmacd_short=MultiMACD(windows=(3, 6, 12), signal=3, multiplier=8, normaliser=12),
            swing_range=0.02,
            pip=ClassicalSignal(alpha=1.0, beta=2, window=5, sigma=2.0, enter_threshold=0.1, leave_threshold=0.0),
        ),
    ),
)
# wide maps: held for about a day after each turn of the signal, so over funding stamps, and reduced as it grows old
_MAP = RotationalGaussian1(theta=0.5, alpha=0.01, beta0=0.1, beta1=0.1, gamma=2)
LEVERAGE = 3


def _trade(code: str, *, isolated: bool) -> TradeConfiguration:
    method = RemainingQuantity(rebalance_band=0.1, long=_MAP, short=_MAP)
    return TradeConfiguration(
        code, LEVERAGE, isolated=isolated, full_stop_loss_immediate=0.04, post_stop_reentry=True, method=method
    )


class MonthStrategy:
    """Minutes must come one after the other. The first symbol is traded isolated, the others crossed."""

    def __init__(self, markets: Mapping[str, Market], minutes: int) -> None:
        self._bars: dict[str, list[Bar]] = {}
        self._rows: dict[str, dict[int, Floats]] = {}
        trades = [_trade("isolated", isolated=True), _trade("crossed", isolated=False)]
        positions = [
            PositionSetup(symbol, ANALYSIS.code, trades[min(place, 1)].code, 0.9 / len(markets), place + 1)
            for place, symbol in enumerate(markets)
        ]
        engine = AccountEngine(
            {"USDT": AssetSetup(10_000.0, 0.9)}, positions, [ANALYSIS], trades,
            [market.instrument for market in markets.values()], CostModel(),
        )  # fmt: skip
        self._actual = ActualEngine(engine)
        for key, (symbol, market) in zip(engine.analyses, markets.items(), strict=True):
            bars = self._bars[symbol] = [market.recording.bar(place) for place in range(minutes)]
            table = AnalysisPipeline(ANALYSIS).run(Bars.of(bars, Source.SAMPLE))
            inputs = engine.inputs(symbol, table.columns, table.values)
            self._rows[key] = dict(zip(table.close_time.tolist(), inputs, strict=True))

    def minute(self, place: int, held: Mapping[str, Held], wallets: Mapping[str, float]) -> list[Target]:
        """What is newly wanted after a minute. place: counts the minutes of the markets from 0 on."""
        bars = {symbol: known[place] for symbol, known in self._bars.items()}
        open_ms = next(iter(bars.values())).open_time
        rows = {key: known[open_ms + MINUTE_MS] for key, known in self._rows.items() if open_ms + MINUTE_MS in known}
        return self._actual.minute(open_ms, bars, rows, held, wallets)
