"""Makes assets/sample from recorded bars: scripts/make_sample.py --source DIR

DIR holds market/<SYMBOL>-1m.parquet, exchange_info_um.json and binance_um_leverage_tiers.json. A month whose bars are
in the sample already is left as it is, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from atm.model.bars import Bars, Column, Source
from atm.model.interval import Interval, format_time, parse_time
from atm.storage.market_store import KIND, MarketStore
from atm.storage.minute_columns import KLINES, Minutes
from atm.storage.month_file import read_month

RANGES = {
    "FILUSDT": ("2023-08-01", "2023-11-01"),
    "NEARUSDT": ("2023-08-01", "2023-11-01"),
    "AVAXUSDT": ("2023-09-01", "2023-10-01"),
}
WITH_FILTERS = [*RANGES, "BTCUSDT", "ETHUSDT"]
TARGET = Path(__file__).parent.parent / "assets" / "sample"


def recorded(path: Path, start: str, end: str) -> Bars:
    """The bars of a file in a range, with the source `SAMPLE`."""
    table = pq.read_table(path)
    values = np.array([table.column(column.name.lower()).to_numpy() for column in Column], np.float64)
    open_time = table.column("open_time").to_numpy().astype(np.int64)
    source = np.full(len(open_time), int(Source.SAMPLE), np.uint8)
    return Bars(Interval.M1, open_time, values, source).between(parse_time(start), parse_time(end))


def same(one: Minutes, other: Minutes) -> bool:
    columns = ((one.open_time, other.open_time), (one.values, other.values), (one.source, other.source))
    return all(np.array_equal(a, b) for a, b in columns)


def put_months(bars: Bars, symbol: str) -> None:
    """Write month files into the sample, print what the README says of them."""
    with tempfile.TemporaryDirectory() as folder:
        store = MarketStore(Path(folder), read_only=False)
        store.put(symbol, bars)
        store.close()
        for made in sorted((Path(folder) / symbol / KIND).glob("*.parquet")):
            kept = TARGET / symbol / KIND / made.name
            month = read_month(KLINES, made)
            if not kept.exists() or not same(read_month(KLINES, kept), month):
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(made.read_bytes())
            first, last = (format_time(int(month.open_time[at])) for at in (0, -1))
            digest = hashlib.sha256(kept.read_bytes()).hexdigest()
            print(f"| {kept.relative_to(TARGET)} | {first} | {last} | {len(month):,} | `{digest}` |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    source = parser.parse_args().source
    for symbol, (start, end) in RANGES.items():
        put_months(recorded(source / "market" / f"{symbol}-1m.parquet", start, end), symbol)
    info = json.loads((source / "exchange_info_um.json").read_text())
    info["symbols"] = [entry for entry in info["symbols"] if entry["symbol"] in WITH_FILTERS]
    tiers = json.loads((source / "binance_um_leverage_tiers.json").read_text())
    kept = {symbol: tiers[symbol] for symbol in WITH_FILTERS}
    for name, content in (("exchange_info.json", info), ("leverage_brackets.json", kept)):
        (TARGET / name).write_text(json.dumps(content, indent=1) + "\n")
        digest = hashlib.sha256((TARGET / name).read_bytes()).hexdigest()
        print(f"| {name} | | | {len(kept)} symbols | `{digest}` |")


if __name__ == "__main__":
    main()
