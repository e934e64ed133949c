"""Makes assets/sample from recorded bars: scripts/make_sample.py --source DIR (with market/, exchange_info_um.json …)."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from atm.model.bars import Bars, Source
from atm.model.interval import Interval, parse_time
from atm.storage.market_store import MarketStore

RANGES = {
    "FILUSDT": ("2023-08-01", "2023-11-01"),
    "NEARUSDT": ("2023-08-01", "2023-11-01"),
    "AVAXUSDT": ("2023-09-01", "2023-10-01"),
}
WITH_FILTERS = [*RANGES, "BTCUSDT", "ETHUSDT"]
COLUMNS = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "taker_buy_quote_volume",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    source = parser.parse_args().source
    target = Path(__file__).parent.parent / "assets" / "sample"
    for symbol in RANGES:
        shutil.rmtree(target / symbol, ignore_errors=True)
    store = MarketStore(target, read_only=False)
    for symbol, (start, end) in RANGES.items():
        table = pq.read_table(source / "market" / f"{symbol}-1m.parquet")
        values = np.array([table.column(name).to_numpy() for name in COLUMNS], np.float64)
        open_time = table.column("open_time").to_numpy().astype(np.int64)
        bars = Bars(Interval.M1, open_time, values, np.full(len(open_time), int(Source.SAMPLE), np.uint8))
        chosen = bars.between(parse_time(start), parse_time(end))
        store.put(symbol, chosen)
        print(symbol, len(chosen))
    store.close()
    (target / "writer.lock").unlink()
    info = json.loads((source / "exchange_info_um.json").read_text())
    info["symbols"] = [entry for entry in info["symbols"] if entry["symbol"] in WITH_FILTERS]
    (target / "exchange_info.json").write_text(json.dumps(info, indent=1) + "\n")
    tiers = json.loads((source / "binance_um_leverage_tiers.json").read_text())
    kept = {symbol: tiers[symbol] for symbol in WITH_FILTERS}
    (target / "leverage_brackets.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
