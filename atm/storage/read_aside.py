"""The process behind `StoreAside`: `python -m atm.storage.read_aside FOLDER`. Ends when nobody asks any more."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from atm.model.errors import ATMError
from atm.storage.market_store import MarketStore
from atm.storage.store_aside import Answer, Request


def main(root: Path) -> None:
    """Answer requests from standard input until it is closed."""
    store = MarketStore(root)
    for line in sys.stdin.buffer:
        content = msgspec.msgpack.encode(_answer(store, msgspec.json.decode(line, type=Request)))
        sys.stdout.buffer.write(len(content).to_bytes(8, "little") + content)
        sys.stdout.buffer.flush()


def _answer(store: MarketStore, request: Request) -> Answer:
    try:
        if request.wanted == "symbols":
            return Answer(symbols=store.symbols())
        if request.wanted == "coverage":
            return Answer(ranges=store.coverage(request.symbol))
        bars = store.read(request.symbol, request.start_ms, request.end_ms)
    except ATMError as error:
        return Answer(refusal=str(error))
    return Answer(open_time=bars.open_time.tobytes(), values=bars.values.tobytes(), source=bars.source.tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
