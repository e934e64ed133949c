"""What the black box costs: a minute of an account of ten positions beside the same without it, a call of a live account beside the
journal's commit of the same, a tick without consequence, and the bytes of a day."""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np

from atm.app.bench import BenchRow
from atm.managers.presets import demo_presets
from atm.managers.trade_accounts import VirtualAccount, make_engine
from atm.managers.trade_setups import Configurations
from atm.model.account import AccountSetup, AssetSetup, PositionSetup
from atm.model.bars import Bar
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS
from atm.model.journal import Target
from atm.model.mark import Mark
from atm.model.risk import LiveSetup, SymbolSetup
from atm.storage.database import Database
from atm.storage.flight_log import FlightLimits, FlightLog, segments
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.live.live_account import LiveAccount

POSITIONS, MINUTES, CALLS = 10, 720, 400
START_MS = 1_694_131_200_000
SHARE = 0.05
"""Of the manager's minute, at most."""
SYMBOLS = tuple(f"{chr(65 + n)}USDT" for n in range(POSITIONS))


def rows() -> list[BenchRow]:
    """The rows of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain_s, _ = _minutes(folder / "none", recorded=False)
        recorded_s, minute_bytes = _minutes(folder / "minutes", recorded=True)
        stored_s = _stored(folder)
        cost_us = (recorded_s - plain_s) * 1e6
        minute_us = (plain_s + stored_s) * 1e6
        plain_call, plain_tick = _calls(None)
        call, tick = _calls(folder / "calls")
    return [
        BenchRow("a minute of ten positions recorded, more than without", cost_us, "µs", "the manager's minute: engine and commit",
                 minute_us, cost_us / minute_us, minute_us * SHARE, cost_us <= minute_us * SHARE),
        _row("a decision of a live account recorded, more than without", call - plain_call, "without", plain_call),
        _row("a tick without consequence recorded, more than without", tick - plain_tick, "without", plain_tick),
        BenchRow("a day of ten positions, packed", minute_bytes * 1_440 / 1e6, "MB", "limit of all segments",
                 256.0, minute_bytes * 1_440 / 256e6, None, True),
    ]  # fmt: skip


def _row(name: str, cost_us: float, reference: str, reference_us: float) -> BenchRow:
    return BenchRow(name, cost_us, "µs", reference, reference_us, cost_us / reference_us, None, True)


def _instrument(symbol: str) -> Instrument:
    return Instrument(
        symbol, symbol[:-4], "USDT", "TRADING", 4, 1, "0.0001", "0.1", "0.1", "0.1", "1000000", "5", "0.015"
    )  # fmt: skip


def _recorder(folder: Path | None) -> FlightRecorder:
    log = None if folder is None else FlightLog(folder, FlightLimits(segment=10**9), lambda: 0)
    return FlightRecorder(log, lambda: 0.0, lambda: time.time_ns() // 1_000_000)


def _account() -> tuple[VirtualAccount, Configurations, dict[str, Instrument]]:
    presets = demo_presets(())
    configurations = Configurations(
        {each.code: each for each in presets.analysis}, {each.code: each for each in presets.trade}
    )  # fmt: skip
    analysis, trade = presets.analysis[0].code, presets.trade[0].code
    positions = tuple(PositionSetup(symbol, analysis, trade, 0.1, n + 1) for n, symbol in enumerate(SYMBOLS))
    setup = AccountSetup("bench", assets={"USDT": AssetSetup(100_000.0, 0.9)}, positions=positions, trading=True)
    instruments = {symbol: _instrument(symbol) for symbol in SYMBOLS}
    account = VirtualAccount(setup, make_engine(setup, configurations, instruments))
    account.begin(START_MS, configurations)
    return account, configurations, instruments


def _minutes(folder: Path, *, recorded: bool) -> tuple[float, float]:
    """(seconds of a minute, packed bytes of a minute)."""
    account, configurations, instruments = _account()
    if recorded:
        recorder = _recorder(folder)
        given = configurations.analysis.values(), configurations.trade.values(), instruments
        account.watch = recorder.engine(account.setup, account.engine, None, *given)
    assert account.barrier is not None
    draw = np.random.default_rng(1)
    prices = 5.0 * np.exp(np.cumsum(draw.normal(0, 0.001, (MINUTES, POSITIONS)), axis=0)).round(4)
    widths = {key: len(columns) - 1 for key, columns in account._columns.items()}
    for minute in range(MINUTES):
        at = START_MS + minute * MINUTE_MS
        for n, symbol in enumerate(SYMBOLS):
            price = float(prices[minute, n])
            mark = Mark(price, price, price, price, float("nan"))
            account.barrier.add_bar(symbol, Bar(at, price, price, price, price, 9.5, 47.25, 12.0, 4.5, 22.5, mark=mark))
        for key, width in widths.items():
            account.barrier.add_row(key, at + MINUTE_MS, tuple(draw.normal(0, 1, width).tolist()))
    account.process(1)
    begun = time.process_time()
    account.process(MINUTES)
    seconds = (time.process_time() - begun) / (MINUTES - 1)
    packed = sum(len(gzip.compress(path.read_bytes())) for path in segments(folder)) if recorded else 0
    return seconds, packed / MINUTES


def _stored(folder: Path) -> float:
    """Processor seconds of storing an account's progress."""
    account, _, _ = _account()
    database = Database(f"sqlite:///{folder / 'a.sqlite3'}")
    database.accounts.put(account.setup)
    progress = account.progress()

    def once() -> None:
        database.accounts.save_progress("bench", progress.state, progress.market_ms, (), ())

    seconds = _median(50, once)
    database.close()
    return seconds


def _calls(folder: Path | None) -> tuple[float, float]:
    """µs of (a decision, a tick) of a live account whose prices have changed."""
    setup = LiveSetup({symbol: SymbolSetup() for symbol in SYMBOLS})
    instruments = {symbol: _instrument(symbol) for symbol in SYMBOLS}
    make = LiveAccount if folder is None else _recorder(folder).live
    account = make("bench", setup, instruments)
    account.start(START_MS)
    now_ms = START_MS

    def later() -> int:
        nonlocal now_ms
        now_ms += 250
        account.priced(SYMBOLS[now_ms // 250 % POSITIONS], Decimal("5.1"), Decimal("5.1"), now_ms)
        return now_ms

    decision = _median(CALLS, lambda: account.aim(Target(SYMBOLS[0], Decimal(100), later()), now_ms))
    return decision * 1e6, _median(CALLS, lambda: account.tick(later())) * 1e6


def _median(rounds: int, once: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        once()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)
