"""Speed of the analyses: batch from minutes, beside TA-Lib and pandas and beside one fused loop; live per bar.

Five years of synthetic minutes (2.63 million), one line of every analysis at its defaults and PIP. Budgets hold on a quiet core.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from atm.analyzers import AnalysisPipeline
from atm.analyzers.cache import AnalysisCache
from atm.analyzers.contract import Floats
from atm.analyzers.warm_up import EVERYTHING, warm_up
from atm.app.bench import BenchRow
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    MovingAverageLine,
    OscillatorLine,
    ParabolicLine,
    VolumeLine,
)
from atm.model.bars import Bars, Source
from atm.model.interval import MINUTE_MS, Interval, parse_time
from atm.model.kernel import kernel

MINUTES = 2_629_800
PIECE = 131_072
"""Minutes that the analyzer feeds at once while it catches up."""
LOOP = AnalysisConfiguration.of_one(
    code="loop",
    sma=(MovingAverageLine(10),),
    ema=(MovingAverageLine(10),),
    bollinger=(BollingerLine(20, 2.0),),
    psar=(ParabolicLine(),),
)
"""What the fused loop computes: these and swings, which every configuration has."""
SUBSET = AnalysisConfiguration(
    "subset",
    (
        msgspec.structs.replace(
            LOOP.intervals[0],
            wma=(MovingAverageLine(10),),
            volume=(VolumeLine(20),),
            dmi_adx=(OscillatorLine(14),),
            mfi=(OscillatorLine(14),),
        ),
    ),
)
"""What TA-Lib has as well, and swings and both normalisations."""


SEVERAL = (Interval.M15, Interval.H1, Interval.H4, Interval.D1)


def on(configuration: AnalysisConfiguration, *intervals: Interval) -> AnalysisConfiguration:
    """The same analyses on these intervals."""
    (analyses,) = configuration.intervals
    return AnalysisConfiguration(
        configuration.code, tuple(msgspec.structs.replace(analyses, interval=interval) for interval in intervals)
    )


def synthetic(n: int) -> Bars:
    """n minutes of a random walk with realistic ranges."""
    random = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(random.normal(0, 5e-4, n)))
    opened = np.concatenate([[100.0], close[:-1]])
    values = np.empty((9, n))
    values[0], values[3] = opened, close
    values[1] = np.maximum(opened, close) * (1 + random.random(n) * 5e-4)
    values[2] = np.minimum(opened, close) * (1 - random.random(n) * 5e-4)
    values[4:] = random.random(n)
    return Bars(
        Interval.M1,
        parse_time("2019-01-01") + np.arange(n) * MINUTE_MS,
        values,
        np.full(n, int(Source.SAMPLE), np.uint8),
    )


@kernel
def fused(minutes: Floats, per_bar: int, n: int, m: int, out: Floats) -> None:
    """The floor: bars, SMA, EMA, Bollinger, PSAR and swings in one loop with plain running sums and no missing bars."""
    k, total, s1, s2, ema = 2.0 / (n + 1.0), 0.0, 0.0, 0.0, 0.0
    rising, f, e, s, seeking_low = True, 0.02, 0.0, 0.0, True
    extreme, price, ring = minutes[2, 0], np.nan, np.zeros(m)
    h1, l1, h2, l2 = 0.0, 0.0, 0.0, 0.0
    for b in range(minutes.shape[1] // per_bar):
        high, low = -np.inf, np.inf
        for i in range(b * per_bar, b * per_bar + per_bar):
            high, low = max(high, minutes[1, i]), min(low, minutes[2, i])
        close = minutes[3, b * per_bar + per_bar - 1]
        leaving = ring[(b - n) % m] if b >= n else 0.0
        oldest = ring[b % m] if b >= m else 0.0
        total += close - leaving
        s1 += close - oldest
        s2 += close * close - oldest * oldest
        ring[b % m] = close
        ema = close if b == 0 else ema + k * (close - ema)
        mean = s1 / m
        width = 2.0 * math.sqrt(max(s2 / m - mean * mean, 0.0))
        if b == 2:
            e, s = max(h1, h2), min(l1, l2)
        elif b > 2:
            s += f * (e - s)
            s = min(s, l1, l2) if rising else max(s, h1, h2)
            if (rising and low < s) or (not rising and high > s):
                s, rising, f = e, not rising, 0.02
                e = high if rising else low
            elif rising and high > e:
                e, f = high, min(0.2, f + 0.02)
            elif not rising and low < e:
                e, f = low, min(0.2, f + 0.02)
        h2, l2, h1, l1 = h1, l1, high, low
        if seeking_low:
            if low < extreme:
                extreme = low
            elif close > extreme * 1.025:
                price, extreme, seeking_low = extreme, high, False
        elif high > extreme:
            extreme = high
        elif close < extreme * 0.975:
            price, extreme, seeking_low = extreme, low, True
        out[0, b], out[1, b], out[2, b], out[3, b], out[4, b] = total / n, ema, mean - width, mean, mean + width
        out[5, b], out[6, b], out[7, b] = s, 1.0 if rising else -1.0, price


def libraries(bars: Bars) -> None:
    """The subset with pandas (bars) and TA-Lib (indicators); swings and normalisations are missing there."""
    import talib

    coarse = pandas_bars(bars)
    close, high, low = (coarse[name].to_numpy() for name in ("close", "high", "low"))
    volume = coarse["volume"].to_numpy()
    talib.SMA(close, 10)
    talib.WMA(close, 10)
    talib.EMA(close, 10)
    talib.BBANDS(close, 20, 2.0, 2.0)
    talib.SAR(high, low, 0.02, 0.2)
    talib.SMA(volume, 20)
    for function in (talib.PLUS_DI, talib.MINUS_DI, talib.DX, talib.ADX):
        function(high, low, close, 14)
    talib.MFI(high, low, close, volume, 14)


def pandas_rolling(bars: Bars) -> None:
    """What pandas itself has of the subset: the moving averages and the bands."""
    coarse = pandas_bars(bars)
    close = coarse["close"]
    close.rolling(10).mean()
    close.ewm(span=10, adjust=False).mean()
    close.rolling(20).mean()
    close.rolling(20).std(ddof=0)
    coarse["volume"].rolling(20).mean()


def vectorbt_subset(bars: Bars) -> None:
    """The moving averages and the bands with vectorbt, on bars made by pandas."""
    import vectorbt as vbt

    close = pandas_bars(bars)["close"]
    vbt.MA.run(close, 10)
    vbt.MA.run(close, 10, ewm=True)
    vbt.BBANDS.run(close, 20)


def pandas_bars(bars: Bars):  # type: ignore[no-untyped-def]
    """15m bars with pandas."""
    import pandas as pd

    index = pd.to_datetime(bars.open_time, unit="ms")
    table = pd.DataFrame(
        {"high": bars.high, "low": bars.low, "close": bars.close, "open": bars.open, "volume": bars.volume}, index
    )
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return table.resample("15min").agg(how)


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the fastest of some runs, the first of which is not counted."""
    function()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def live(bars: Bars) -> float:
    """Median microseconds of one closed 15m bar through all analyses."""
    pipeline = AnalysisPipeline(EVERYTHING)
    pipeline.run(bars.slice(0, 200_000 // 15 * 15))
    times = []
    for i in range(199_995, 199_995 + 15 * 500):
        bar = bars.bar(i)
        begun = time.perf_counter()
        if pipeline.advance(bar) is not None:
            times.append((time.perf_counter() - begun) * 1e6)
    return statistics.median(times)


def in_pieces(bars: Bars, minutes: int) -> None:
    """Everything on one-minute bars, fed in pieces as the analyzer does, so that the results need little memory at once."""
    pipeline = AnalysisPipeline(on(EVERYTHING, Interval.M1))
    for start in range(0, len(bars), minutes):
        pipeline.run(bars.slice(start, start + minutes))


def growth(bars: Bars) -> tuple[float, float]:
    """Nanoseconds per bar of everything on one-minute bars in pieces of ten thousand: of a million bars, and of one piece."""
    many, few = min(1_000_000, len(bars)), 10_000
    long, short = bars.slice(0, many), bars.slice(0, few)
    return best(lambda: in_pieces(long, few), 2) / many * 1e9, best(lambda: in_pieces(short, few), 20) / few * 1e9


def rows(minutes: int = MINUTES) -> list[BenchRow]:
    """The budget rows of the analyses (design §5)."""
    warm_up(lambda _name: None)
    bars = synthetic(minutes)
    everything = best(lambda: AnalysisPipeline(EVERYTHING).run(bars), 5)
    subset = best(lambda: AnalysisPipeline(SUBSET).run(bars))
    base = on(LOOP, Interval.M1)
    loop_analyses = best(lambda: AnalysisPipeline(base).run(bars))
    loop = best(lambda: fused(bars.values, 15, 10, 20, np.empty((8, minutes // 15))))
    loop_minutes = best(lambda: fused(bars.values, 1, 10, 20, np.empty((8, minutes))))
    talib_s, pandas_s = best(lambda: libraries(bars), 1), best(lambda: pandas_rolling(bars), 1)
    all_minutes = best(lambda: in_pieces(bars, PIECE))
    several = best(lambda: AnalysisPipeline(on(EVERYTHING, *SEVERAL)).run(bars), 1)
    with tempfile.TemporaryDirectory() as folder:
        cache = AnalysisCache(Path(folder), 1_000_000_000)
        wanted = AnalysisPipeline(EVERYTHING).columns[:7]
        cached = best(lambda: cache.table(EVERYTHING, bars, columns=wanted))
    per_bar_us = everything / (minutes / 15) * 1e6
    per_bar_long, per_bar_short = growth(bars)
    names = "SMA WMA EMA BOL PSAR VOL DMIxADX MFI, 15m, 5 years, from minutes"
    result = [
        row("all analyses + PIP, 15m, 5 years, from minutes", everything, "s", "fused loop of five", loop, 0.25),
        row(names, subset, "s", "TA-Lib, bars by pandas", talib_s, None),
        row(names, subset, "s", "pandas, averages and bands alone", pandas_s, None),
        row("SMA EMA BOL PSAR swings, 1m, 5 years", loop_analyses, "s", "fused loop", loop_minutes, 3 * loop_minutes),
        row("all analyses + PIP, 1m, 5 years", all_minutes, "s", "fused loop of five", loop_minutes, 3.5),
        row("the same on 15m, 1h, 4h and 1d at once, 5 years", several, "s", "15m alone", everything, None),
        row("15m, 5 years, seven columns from the disk cache", cached, "s", "computed", everything, None),
        row("one closed bar through all, live", live(bars), "µs", "the same in batch", per_bar_us, 300.0),
        row("all, per bar of a million", per_bar_long, "ns", "of ten thousand", per_bar_short, 2 * per_bar_short),
    ]
    if importlib.util.find_spec("vectorbt") is None:
        print("vectorbt is not installed: its row is left out")
    else:
        result.append(
            row(names, subset, "s", "vectorbt, averages and bands alone", best(lambda: vectorbt_subset(bars), 1), None)
        )
    return result


def row(name: str, value: float, unit: str, reference: str, reference_value: float, budget: float | None) -> BenchRow:
    return BenchRow(
        name=name,
        value=value,
        unit=unit,
        reference=reference,
        reference_value=reference_value,
        ratio=value / reference_value,
        budget=budget,
        ok=budget is None or value <= budget,
    )
