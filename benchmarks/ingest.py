"""Live ingest: stream frames through decoding and reduction on one core, beside decoding the same frames to plain dicts;
once as bytes in memory, once read from a real socket (from another process).

Budget (design §5): 500 symbols of bar, trade and depth streams at 20,000 messages/s in at most one core.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from websockets.asyncio.server import ServerConnection, serve

from atm.exchange.client.connection import StreamSocket, open_socket
from atm.exchange.client.reduction import StreamReduction
from atm.exchange.client.stream_watch import StreamWatch

if TYPE_CHECKING:  # the serving process needs nothing of the app floor
    from atm.app.bench import BenchRow

SYMBOLS = 500
MESSAGES = 40_000
BUDGET_PER_S = 20_000.0
FLUSH_EVERY = 2_000  # messages between two conflation flushes: 0.1 s at 20,000 a second
T0 = 1_790_771_340_000


def _kline(symbol: str, index: int) -> dict[str, object]:
    return {
        "e": "kline", "E": T0 + index, "s": symbol,
        "k": {"t": T0, "T": T0 + 59_999, "s": symbol, "i": "1m", "f": 8132503391, "L": 8132505633, "o": "83896.40",
              "c": "83860.20", "h": "83920.00", "l": "83860.10", "v": "114.602", "n": 2239, "x": False, "q": "9615538.66780",
              "V": "48.488", "Q": "4068722.10360", "B": "0"},
    }  # fmt: skip


def _trade(symbol: str, index: int) -> dict[str, object]:
    return {"e": "aggTrade", "E": T0 + index, "s": symbol, "a": 5933014 + index, "p": "60250.00", "q": "4.704",
            "nq": "4.704", "f": 100, "l": 105, "T": T0 + index, "m": True, "st": 1}  # fmt: skip


def _depth(symbol: str, index: int) -> dict[str, object]:
    def side(step: float) -> list[list[str]]:
        return [[f"{60_250 + step * n:.2f}", f"{1.5 + n / 7:.3f}"] for n in range(1, 21)]

    return {"e": "depthUpdate", "E": T0 + index, "T": T0 + index, "s": symbol, "U": index, "u": index + 1, "pu": index - 1,
            "b": side(-0.1), "a": side(0.1), "ps": symbol, "st": 1}  # fmt: skip


def _mark(symbol: str, index: int) -> dict[str, object]:
    return {"e": "markPriceUpdate", "E": T0 + index, "s": symbol, "p": f"{60_250 + index % 97}.00000000", "ap": "60249.51234567",
            "i": "60238.10495970", "P": "60237.16138815", "r": "0.00010000", "T": T0 + 28_800_000, "st": 1}  # fmt: skip


def frames(count: int = MESSAGES, seed: int = 1) -> list[bytes]:
    """A mix as it comes: half trades, bars, a tenth books, a twentieth mark prices (a second brings 4 updates of a bar, 2 books and
    1 mark price)."""
    draw = random.Random(seed)
    made: list[bytes] = []
    for index in range(count):
        symbol = f"S{draw.randrange(SYMBOLS):03d}USDT"
        kind = draw.random()
        if kind < 0.5:
            name, payload = "aggTrade", _trade(symbol, index)
        elif kind < 0.85:
            name, payload = "kline_1m", _kline(symbol, index)
        elif kind < 0.9:
            name, payload = "markPrice@1s", _mark(symbol, index)
        else:
            name, payload = "depth20@500ms", _depth(symbol, index)
        content = {"stream": f"{symbol.lower()}@{name}", "data": payload}
        made.append(json.dumps(content, separators=(",", ":")).encode())
    return made


def reduce_all(made: list[bytes]) -> None:
    """What the exchange manager does with each frame, conflation included."""
    reduction = StreamReduction()
    reduction.collect({f"S{number:03d}USDT" for number in range(SYMBOLS)})
    for position, frame in enumerate(made, 1):
        reduction.feed(frame, position)
        if position % FLUSH_EVERY == 0:
            reduction.take_closed()
            reduction.take_changed()


def decode_all(made: list[bytes]) -> None:
    """The floor: the same bytes to plain dicts and nothing else."""
    decode = msgspec.json.Decoder().decode
    for frame in made:
        decode(frame)


def _best_rate(work: Callable[[list[bytes]], None], made: list[bytes], repeats: int = 3) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work(made)
        best = min(best, time.process_time() - start)
    return len(made) / best


async def serve_frames() -> None:
    """In a process of its own: send the frames to whoever connects, at the budgeted speed or a little above it."""
    made = frames()

    async def send(connection: ServerConnection) -> None:
        for position, frame in enumerate(made):
            await connection.send(frame, text=True)
            if position % 200 == 0:
                await asyncio.sleep(0.005)

    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


async def _read(port: int) -> float:
    """CPU seconds of this process for all frames of the server."""
    reduction = StreamReduction()
    reduction.collect({f"S{number:03d}USDT" for number in range(SYMBOLS)})
    socket = await open_socket(f"ws://127.0.0.1:{port}", "market", reduction.feed, 10.0, StreamWatch(("x",), 0.0))
    if not isinstance(socket, StreamSocket):
        raise RuntimeError(f"the benchmark's own server: {socket}")
    start = time.process_time()
    await socket.closed
    await socket.close()
    if reduction.counters.messages != MESSAGES:
        raise RuntimeError(f"{reduction.counters.messages} of {MESSAGES} messages arrived")
    return time.process_time() - start


def _row(name: str, value: float, floor: float) -> BenchRow:
    from atm.app.bench import BenchRow

    return BenchRow(
        name=name,
        value=value,
        unit="messages/s",
        reference="msgspec to plain dicts, no socket",
        reference_value=floor,
        ratio=value / floor,
        budget=BUDGET_PER_S,
        ok=value >= BUDGET_PER_S,
    )


def rows() -> list[BenchRow]:
    """Messages per second of CPU time on one core; the budget is a least value."""
    made = frames()
    floor = _best_rate(decode_all, made)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            from_socket = MESSAGES / asyncio.run(_read(int(server.stdout.readline())))
        finally:
            server.terminate()
    return [
        _row("ingest: decode and reduce, 500 symbols", _best_rate(reduce_all, made), floor),
        _row("ingest: the same from a socket", from_socket, floor),
    ]


if __name__ == "__main__":
    asyncio.run(serve_frames())
