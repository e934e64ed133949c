"""The world of the kill campaign: ten symbols of a recorded market, three actual accounts that trade all of them, a home folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from atm.exchange.demo.clock import DEFAULT_START_MS
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine
from atm.model.bars import Bars, Source
from atm.model.interval import MINUTE_MS, Interval
from atm.model.risk import LiveRules, RiskLimits
from atm.model.trade_configuration import TradeConfiguration, UserMethod
from atm.storage.database import Database
from atm.storage.market_store import MarketStore
from benchmarks._kill_method import FAR, LITTLE, MUCH

ROOT = Path(__file__).parents[1]
SYMBOLS = tuple(f"{letter * 3}USDT" for letter in "ABCDEFGHIJ")
WAITING = SYMBOLS[7:]
"""In these, entries wait at a limit, and so little is traded that they are filled in parts."""
ACCOUNTS = {"one": (Interval.M1, 5), "two": (Interval.M3, 4), "three": (Interval.M5, 3)}
"""Decision interval of each account, and closes in its mean."""
HISTORY, MINUTES = 1_440, 4_320
START_MS = DEFAULT_START_MS - HISTORY * MINUTE_MS
TICK = 1e-4
PATIENCE = 0.0004


def bars(number: int) -> Bars:
    """A random walk of its own for each symbol, on the tick."""
    g = np.random.default_rng(1_000 + number)
    closes = (2.0 + number) * np.exp(np.cumsum(g.normal(0, 0.0012, MINUTES)))
    opens = np.concatenate((closes[:1], closes[:-1]))
    spread = np.abs(g.normal(0, 0.0006, MINUTES))
    values = np.empty((9, MINUTES))
    values[0], values[3] = opens, closes
    values[1], values[2] = np.maximum(opens, closes) * (1 + spread), np.minimum(opens, closes) * (1 - spread)
    values[:4] = np.rint(values[:4] / TICK) / round(1 / TICK)
    volume = 300.0 if SYMBOLS[number] in WAITING else 200_000.0
    values[4] = np.rint(g.uniform(0.5, 1.5, MINUTES) * volume * 10) / 10
    values[5], values[6] = values[4] * closes, np.full(MINUTES, 40.0)
    values[7:] = values[4:6] / 2
    times = START_MS + MINUTE_MS * np.arange(MINUTES, dtype=np.int64)
    return Bars(Interval.M1, times, values, np.full(MINUTES, int(Source.ARCHIVE), np.uint8))


class Market:
    """The recorded market, and what each account has to decide on it."""

    def __init__(self) -> None:
        self._closes = {symbol: bars(number).values[3] for number, symbol in enumerate(SYMBOLS)}

    def exposure(self, account: str, symbol: str, close_ms: int) -> float | None:
        """What is to be decided at the close of a bar; None where the close lies on its mean."""
        interval, window = ACCOUNTS[account]
        last = (close_ms - START_MS) // MINUTE_MS
        step = interval.nominal_ms // MINUTE_MS
        closes = self._closes[symbol][last - 1 - step * (window - 1) : last : step]
        gap = closes[-1] / closes.mean() - 1.0
        if min(abs(gap), abs(abs(gap) - FAR)) < 1e-9:
            return None
        return float(np.sign(gap)) * (MUCH if abs(gap) > FAR else LITTLE)


def make_assets(folder: Path, speed: float) -> Path:
    """The program's assets, with this market as the sample. The exchange's limits of requests count by real minutes: what is allowed in
    one grows with the speed, as what an account asks for does."""
    folder.mkdir(parents=True)
    for each in (ROOT / "assets").iterdir():
        if each.name != "sample":
            (folder / each.name).symlink_to(each)
    sample = folder / "sample"
    sample.mkdir()
    info = json.loads((ROOT / "assets/sample/exchange_info.json").read_text())
    (known,) = (entry for entry in info["symbols"] if entry["symbol"] == "FILUSDT")
    text = json.dumps({**known, "pricePrecision": 4})
    entries = [json.loads(text.replace("FILUSDT", symbol)) for symbol in SYMBOLS]
    for entry in entries:
        entry["baseAsset"] = entry["symbol"][:3]
        for each in entry["filters"]:
            if each["filterType"] == "PRICE_FILTER":
                each["tickSize"] = each["minPrice"] = "0.0001"
    limits = [
        {**each, "limit": int(each["limit"] * speed)} if each["rateLimitType"] == "REQUEST_WEIGHT" else each
        for each in info["rateLimits"]
    ]
    (sample / "exchange_info.json").write_text(json.dumps({**info, "symbols": entries, "rateLimits": limits}))
    brackets = json.loads((ROOT / "assets/sample/leverage_brackets.json").read_text())["FILUSDT"]
    (sample / "leverage_brackets.json").write_text(json.dumps(dict.fromkeys(SYMBOLS, brackets)))
    store = MarketStore(sample, read_only=False)
    for number, symbol in enumerate(SYMBOLS):
        store.put(symbol, bars(number))
    store.close()
    return folder


def make_home(home: Path) -> None:
    """Configurations and accounts, and the method among the user's files."""
    (home / "strategies").mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks/_kill_method.py", home / "strategies/kill_method.py")
    database = Database(f"sqlite:///{home / 'demo.sqlite3'}")
    for name, patience in (("MARKET", 0.0), ("LIMIT", PATIENCE)):
        method = UserMethod(name="MEAN", parameters={"patience": patience}, rebalance_band=0.1)
        database.configurations.put_trade(
            TradeConfiguration(name, leverage=3, full_stop_loss_immediate=0.05, method=method)
        )
    limits = RiskLimits(max_leverage=None, orders_per_minute=1_200, price_deviation=None)
    for name, (interval, window) in ACCOUNTS.items():
        code = f"MEAN-{interval.value}"
        analyses = IntervalAnalyses(interval=interval, sma=(MovingAverageLine(window),))
        database.configurations.put_analysis(AnalysisConfiguration(code, (analyses,)))
        positions = tuple(
            PositionSetup(symbol, code, "LIMIT" if symbol in WAITING else "MARKET", 0.1, number)
            for number, symbol in enumerate(SYMBOLS, 1)
        )
        database.accounts.put(
            AccountSetup(
                name, AccountKind.ACTUAL, {"USDT": AssetSetup(0, 0.9)}, positions, trading=True,
                live=LiveRules(limits, stop_distance=0.05),
            )
        )  # fmt: skip
    database.close()
