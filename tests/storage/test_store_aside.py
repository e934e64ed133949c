"""A market store read by another process, and what that spares the one that asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atm.model.errors import Refused, Unavailable
from atm.storage.market_store import MarketStore
from atm.storage.store_aside import StoreAside

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "assets" / "sample"


def test_it_answers_like_the_store_itself() -> None:
    store = MarketStore(SAMPLE)
    with StoreAside(SAMPLE) as aside:
        assert aside.symbols() == store.symbols()
        assert aside.coverage("NEARUSDT") == store.coverage("NEARUSDT")
        (covered,) = store.coverage("NEARUSDT")
        start_ms, end_ms = covered.start_ms + 40_000 * 60_000, covered.start_ms + 50_000 * 60_000
        near, far = store.read("NEARUSDT", start_ms, end_ms), aside.read("NEARUSDT", start_ms, end_ms)
    for name in ("open_time", "values", "source"):
        assert np.array_equal(getattr(near, name), getattr(far, name))


def test_a_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "NEARUSDT" / "klines_1m"
    folder.mkdir(parents=True)
    (folder / "2023-09.parquet").write_bytes(b"no such thing")
    with StoreAside(tmp_path) as aside:
        assert aside.symbols() == []
        with pytest.raises(Refused, match=r"2023-09\.parquet"):
            aside.read("NEARUSDT", 1_693_526_400_000, 1_693_526_460_000)


def test_a_process_that_has_ended_is_unavailable() -> None:
    aside = StoreAside(SAMPLE)
    aside.close()
    with pytest.raises(Unavailable):
        aside.symbols()


def test_the_demo_exchange_does_without_numba_pyarrow_and_pandas() -> None:
    """Run as its process runs, with the kernels interpreted: liquidation prices of the exchange's own examples."""
    program = f"""
import sys
from pathlib import Path
from atm.model.kernel import interpret_kernels
from atm.storage.store_aside import StoreAside
from atm.storage.sample import load_exchange_info, load_instruments
interpret_kernels()
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions
from atm.ledger.margin import bracket_table, liquidation_price
from atm.model.instrument import LeverageBracket
assets = Path({str(ROOT / "assets")!r})
with StoreAside(assets / "sample") as source:
    DemoExchange(DemoExchangeOptions(), source, load_instruments(assets), load_exchange_info(assets))
assert not {{"numba", "pyarrow", "pandas"}} & set(sys.modules)
table = bracket_table((LeverageBracket(0, 300_000, 0.004, 0, 150),))
print(round(liquidation_price(table, 0.5, 60_000.0, 1_500.0), 8), round(liquidation_price(table, -0.5, 60_000.0, 1_500.0), 8))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("57228.91566265 62749.00398406\n", "")
