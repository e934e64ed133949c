"""What a newcomer finds on the demo exchange: two analyses, two strategies and a virtual account that trades at once.

The maps are made by hand, not searched: examples, no promise. With theta = ½ ROTATIONALGAUSSIAN1 is unrotated: alpha scales
the time since the flip (in units of 10⁻⁴ bars), beta0 a rise and beta1 a fall of the price since then. With gamma = 2 the
exposure stays near 1 inside the ellipse and falls steeply outside it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    ClassicalSignal,
    IntervalAnalyses,
    MovingAverageLine,
    MultiMACD,
    ParabolicLine,
)
from atm.model.interval import Interval
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration

SLOW_ANALYSIS = AnalysisConfiguration(
    "DEMO-15M",
    (
        IntervalAnalyses(
            interval=Interval.M15,
            sma=(MovingAverageLine(50),),
            ema=(MovingAverageLine(12), MovingAverageLine(26)),
            bollinger=(BollingerLine(20, 2.0),),
            psar=(ParabolicLine(),),
            mmacd_short=MultiMACD(windows=(3, 6, 12), signal=3, multiplier=8, normaliser=12),
            swing_range=0.02,
            pip=ClassicalSignal(alpha=1.0, beta=2, window=10, sigma=3.5, enter_threshold=0.4, leave_threshold=0.0),
        ),
    ),
)
FAST_ANALYSIS = AnalysisConfiguration(
    "DEMO-3M",
    (
        IntervalAnalyses(
            interval=Interval.M3,
            sma=(MovingAverageLine(20),),
            ema=(MovingAverageLine(9), MovingAverageLine(21)),
            bollinger=(BollingerLine(20, 2.0),),
            mmacd_short=MultiMACD(windows=(3, 6, 12), signal=3, multiplier=6, normaliser=12),
            swing_range=0.01,
            pip=ClassicalSignal(alpha=1.0, beta=2, window=10, sigma=3.5, enter_threshold=0.4, leave_threshold=0.0),
        ),
    ),
)
SLOW_TRADE = TradeConfiguration(
    code="DEMO-RQPM-15M",
    leverage=2,
    full_stop_loss_immediate=0.06,
    full_stop_loss_close=0.04,
    # near full size for half a day, a tenth after about a day; out at +8 % or −3.5 % from the flip
    method=RemainingQuantity(
        rebalance_band=0.1,
        long=RotationalGaussian1(theta=0.5, alpha=0.005, beta0=0.05, beta1=0.02, gamma=2),
        short=RotationalGaussian1(theta=0.5, alpha=0.005, beta0=0.02, beta1=0.05, gamma=2),
    ),
)
FAST_TRADE = TradeConfiguration(
    code="DEMO-RQPM-FAST",
    leverage=2,
    full_stop_loss_immediate=0.03,
    full_stop_loss_close=0.02,
    # near full size for two hours, a tenth after four; out at +4 % or −2 % from the flip
    method=RemainingQuantity(
        rebalance_band=0.15,
        long=RotationalGaussian1(theta=0.5, alpha=0.004, beta0=0.025, beta1=0.012, gamma=2),
        short=RotationalGaussian1(theta=0.5, alpha=0.004, beta0=0.012, beta1=0.025, gamma=2),
    ),
)
_POSITIONS = (
    PositionSetup("FILUSDT", SLOW_ANALYSIS.code, SLOW_TRADE.code, assumed_ratio=0.4, priority=1),
    PositionSetup("NEARUSDT", SLOW_ANALYSIS.code, SLOW_TRADE.code, assumed_ratio=0.4, priority=2),
    PositionSetup("AVAXUSDT", FAST_ANALYSIS.code, FAST_TRADE.code, assumed_ratio=0.2, priority=3),
)


@dataclass(frozen=True)
class Presets:
    analysis: tuple[AnalysisConfiguration, ...]
    trade: tuple[TradeConfiguration, ...]
    account: AccountSetup


def demo_presets(symbols: Collection[str]) -> Presets:
    """Presets of the demo exchange; the account trades those of its symbols that are collected (`symbols` empty: all)."""
    account = AccountSetup(
        name="demo",
        kind=AccountKind.VIRTUAL,
        assets={"USDT": AssetSetup(initial_balance=10_000.0, allocation_ratio=0.9)},
        positions=tuple(p for p in _POSITIONS if not symbols or p.symbol in symbols),
        trading=True,
    )
    return Presets((SLOW_ANALYSIS, FAST_ANALYSIS), (SLOW_TRADE, FAST_TRADE), account)
