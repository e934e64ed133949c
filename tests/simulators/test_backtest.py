from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.model.account import PositionSetup, TradeReason
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import TradeConfiguration, TradeScenario
from atm.simulators import backtest
from atm.simulators.specification import read_specification
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments

ROOT = Path(__file__).parent.parent.parent
ASSETS = ROOT / "assets"


@pytest.fixture(scope="module")
def store() -> MarketStore:
    return MarketStore(ASSETS / "sample")


@pytest.fixture(scope="module")
def instruments() -> tuple[Instrument, ...]:
    return load_instruments(ASSETS)


def example(name: str, **changes: object) -> SimulationSpec:
    return msgspec.structs.replace(read_specification(ROOT / "examples" / f"{name}.toml"), **changes)


def test_the_same_run_twice_is_the_same_to_the_byte(store: MarketStore, instruments: tuple[Instrument, ...]) -> None:
    spec = example("two_positions", end="2023-08-20")
    first, second = (backtest.run(spec, store, instruments) for _ in range(2))
    assert first.trades == second.trades
    assert first.equity.tobytes() == second.equity.tobytes()
    assert first.summary.trade_hash == second.summary.trade_hash
    assert first.summary.trades > 50


def test_the_summary_adds_up(store: MarketStore, instruments: tuple[Instrument, ...]) -> None:
    spec = example("rqpm_filusdt", end="2023-09-01")
    result = backtest.run(spec, store, instruments)
    s, trades = result.summary, result.trades
    assert s.bars == 31 * 1440
    assert s.fees == pytest.approx(sum(t.fee for t in trades))
    # what is left open at the end is valued at the last close
    last = trades[-1]
    close = store.read("FILUSDT", parse_time("2023-08-31 23:59"), parse_time("2023-09-01")).close[-1]
    unrealized = last.quantity_after * (close - last.entry_price_after)
    assert s.net_profit == pytest.approx(sum(t.profit for t in trades) - s.fees - s.funding + unrealized)
    assert s.final_equity == result.equity[-1]
    assert len(result.equity) == 31 * 1440
    assert {t.reason for t in trades} >= {TradeReason.ENTRY, TradeReason.CLEAR, TradeReason.STOP_IMMEDIATE}
    assert all(t.time_ms == t.decision_ms for t in trades if t.decision_ms)  # filled at the open after the decision


def test_cutting_the_future_leaves_the_past_as_it_was(store: MarketStore, instruments: tuple[Instrument, ...]) -> None:
    long = backtest.run(example("rqpm_filusdt", end="2023-09-01"), store, instruments).trades
    short = backtest.run(example("rqpm_filusdt", end="2023-08-15"), store, instruments).trades
    cut = parse_time("2023-08-15")
    assert short == [t for t in long if t.time_ms < cut]


@pytest.mark.parametrize(
    ("name", "start_of_hash"),
    [("rqpm_filusdt", "2f7289d65796"), ("two_positions", "c2bccc2c85a2"), ("ts_nearusdt", "f761fd30d70a")],
)
def test_the_examples_trade_as_they_always_did(
    store: MarketStore, instruments: tuple[Instrument, ...], name: str, start_of_hash: str
) -> None:
    assert backtest.run(example(name), store, instruments).summary.trade_hash.startswith(start_of_hash)


def test_a_backtest_says_what_is_probably_not_meant(store: MarketStore, instruments: tuple[Instrument, ...]) -> None:
    overlapping = TradeConfiguration("scenario", method=TradeScenario())
    result = backtest.run(example("ts_nearusdt", end="2023-08-03", trade=(overlapping,)), store, instruments)
    assert any(
        "partial stop loss (0.01) is not beyond the last entry (0.04)" in each for each in result.summary.warnings
    )


def test_progress_and_cancel(store: MarketStore, instruments: tuple[Instrument, ...]) -> None:
    seen: list[float] = []
    backtest.run(example("rqpm_filusdt"), store, instruments, seen.append)
    assert seen[-1] == 1.0
    with pytest.raises(backtest.Cancelled):
        backtest.run(example("rqpm_filusdt"), store, instruments, None, lambda: True)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"start": "2024-01-01", "end": "2024-02-01"}, "start", "2023-08-01 00:00 to 2023-11-01 00:00"),
        ({"start": "2023-09-01", "end": "2023-08-01"}, "end", "a time after start"),
        ({"start": "soon"}, "start", "YYYY-MM-DD"),
        ({"positions": (PositionSetup("BTCUSDT", "cycle-15m", "follow"),)}, "positions.symbol", "FILUSDT"),
        (
            {"positions": (PositionSetup("FILUSDT", "cycle-15", "follow"),)},
            "positions.analysis",
            "did you mean cycle-15m",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_field(
    store: MarketStore, instruments: tuple[Instrument, ...], changes: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as refused:
        backtest.run(example("rqpm_filusdt", **changes), store, instruments)
    assert refused.value.field == field
    assert sentence in str(refused.value)


def test_a_typing_error_in_a_file_gets_one_sentence(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "rqpm_filusdt.toml").read_text()
    path = tmp_path / "x.toml"
    path.write_text(text.replace("leverage = 3", "levrage = 3"))
    with pytest.raises(Invalid, match=r"levrage.*did you mean leverage\?"):
        read_specification(path)
    path.write_text(text.replace("leverage = 3", "leverage = 300"))
    with pytest.raises(Invalid, match=r"leverage.*<= 125"):
        read_specification(path)
    scenario = (ROOT / "examples" / "ts_nearusdt.toml").read_text()
    path.write_text(scenario.replace("reenter = false", "renter = false").replace("amount = 0.5", "amount = 1.5"))
    with pytest.raises(Invalid, match=r"method\.renter.*did you mean reenter\?") as refused:
        read_specification(path)
    assert "method.weight_reduce.amount" in str(refused.value)
    path.write_text(scenario.replace('type = "TS"', 'type = "TSS"'))
    with pytest.raises(Invalid, match=r"method\.type.*RQPM, TS, TEF, USER \(did you mean TS\?\)"):
        read_specification(path)
    path.write_text("code = ")
    with pytest.raises(Invalid, match="TOML"):
        read_specification(path)
    with pytest.raises(Invalid, match="an existing TOML file"):
        read_specification(tmp_path / "none.toml")


def test_a_hole_in_the_bars_is_counted_and_nothing_is_filled_in_it(
    tmp_path: Path, store: MarketStore, instruments: tuple[Instrument, ...]
) -> None:
    holed = MarketStore(tmp_path / "market", read_only=False)
    start, hole, after, end = (parse_time(f"2023-08-{day:02d}") for day in (1, 5, 7, 12))
    holed.put("FILUSDT", store.read("FILUSDT", start, hole))
    holed.put("FILUSDT", store.read("FILUSDT", after, end))
    result = backtest.run(example("rqpm_filusdt", end="2023-08-12"), holed, instruments)
    assert result.summary.missing_bars == 2 * 1440
    assert result.summary.sources == {"missing": 2 * 1440, "sample": 9 * 1440}
    assert any("(18.18%) without bars" in warning for warning in result.summary.warnings)
    (finding,) = [each for each in result.summary.findings if each.text == "finding.sources"]
    assert (finding.number, finding.parameters["sample"]) == (pytest.approx(2 / 11), "81.8%")
    assert not [t for t in result.trades if hole <= t.time_ms < after]
    assert not np.isnan(result.equity).any()
    assert (result.equity_time == start + MINUTE_MS * np.arange(1, 11 * 1440 + 1)).all()


def test_round_trips_add_up_to_what_the_engine_has_booked(
    store: MarketStore, instruments: tuple[Instrument, ...]
) -> None:
    result = backtest.run(example("rqpm_filusdt", end="2023-10-01"), store, instruments)
    s, trips, last = result.summary, result.details.trips, result.trades[-1]
    opened = [t for t in result.trades if t.time_ms >= trips[-1].end_ms and t.quantity_after]
    assert last.quantity_after == 0.0 or len(opened) == 1
    close = store.read("FILUSDT", parse_time("2023-09-30 23:59"), parse_time("2023-10-01")).close[-1]
    unrealized = last.quantity_after * (close - last.entry_price_after) - sum(t.fee for t in opened)
    assert len(trips) > 100
    # what the last position has paid of funding is in no round trip; one stamp is at most a fraction of a unit
    assert sum(trip.funding for trip in trips) == pytest.approx(s.funding, abs=3.0)
    assert sum(trip.profit for trip in trips) + unrealized == pytest.approx(s.net_profit, abs=3.0)
    assert all(trip.adverse <= 0 <= trip.favourable for trip in trips)
    assert all(0 < trip.liquidation_room <= 1 for trip in trips)
    stopped = [trip for trip in trips if trip.exit_reason is TradeReason.STOP_IMMEDIATE]
    assert all(trip.adverse == pytest.approx(-0.04, abs=0.01) for trip in stopped)
    assert stopped
