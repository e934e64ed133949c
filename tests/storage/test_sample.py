import hashlib
import itertools
import re
from pathlib import Path

import pytest

from atm.model.bars import Bar, TimeRange
from atm.model.instrument import Instrument
from atm.model.interval import parse_time
from atm.storage.importer import first_fault
from atm.storage.kline_files import kline_files
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments

ASSETS = Path(__file__).parents[2] / "assets"


@pytest.fixture(scope="module")
def instruments() -> dict[str, Instrument]:
    return {instrument.symbol: instrument for instrument in load_instruments(ASSETS)}


def test_the_readme_names_every_file_with_its_checksum() -> None:
    readme = (ASSETS / "sample" / "README.md").read_text()
    named = dict(re.findall(r"^\| (\S+) \|.*`([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    files = [path for path in (ASSETS / "sample").rglob("*") if path.is_file() and path.name != "README.md"]
    assert {str(path.relative_to(ASSETS / "sample")) for path in files} == set(named)
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == named[str(path.relative_to(ASSETS / "sample"))]
    assert sum(path.stat().st_size for path in files) < 15_000_000


def test_no_minute_is_missing_and_every_bar_is_sound() -> None:
    store = MarketStore(ASSETS / "sample")
    months = {"FILUSDT": ("2023-08-01", "2023-11-01"), "NEARUSDT": ("2023-08-01", "2023-11-01")}
    months["AVAXUSDT"] = ("2023-09-01", "2023-10-01")
    assert store.symbols() == sorted(months)
    for symbol, (start, end) in months.items():
        assert store.coverage(symbol) == (TimeRange(parse_time(start), parse_time(end)),)
    for path in (ASSETS / "sample").rglob("*.parquet"):
        (file,) = kline_files(path)
        assert first_fault(file.read(False)) is None


def test_a_minute_is_as_it_was_recorded() -> None:
    """FILUSDT, the last minute of October 2023, copied from the recording."""
    end = parse_time("2023-11-01")
    bars = MarketStore(ASSETS / "sample").read("FILUSDT", end - 60_000, end)
    recorded = (3.829, 3.831, 3.828, 3.831, 3950.8, 15127.9514, 96.0, 1399.4, 5358.9066)
    assert bars.bar(0) == Bar(1_698_796_740_000, *recorded)


def test_filters_and_brackets_are_those_of_the_exchange(instruments: dict[str, Instrument]) -> None:
    assert set(instruments) == {"FILUSDT", "NEARUSDT", "AVAXUSDT", "BTCUSDT", "ETHUSDT"}
    bitcoin = instruments["BTCUSDT"]
    assert (bitcoin.tick_size, bitcoin.step_size, bitcoin.min_notional) == ("0.10", "0.001", "50")
    assert (bitcoin.max_market_quantity, bitcoin.liquidation_fee) == ("120", "0.012500")


def test_brackets_follow_the_recursion_of_the_exchange(instruments: dict[str, Instrument]) -> None:
    """Contiguous; cum[n] = cum[n-1] + floor[n] · (rate[n] - rate[n-1]), so that the margin has no step."""
    for instrument in instruments.values():
        brackets = instrument.brackets
        assert brackets[0].notional_floor == 0
        assert brackets[0].cumulative == 0
        for before, after in itertools.pairwise(brackets):
            assert after.notional_floor == before.notional_cap
            step = after.notional_floor * (after.maintenance_margin_rate - before.maintenance_margin_rate)
            assert after.cumulative == pytest.approx(before.cumulative + step, rel=1e-6)
            assert after.max_leverage <= before.max_leverage
