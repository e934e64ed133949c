"""The demo exchange as a process: on its own from the command line, or as the program's child.

It stays small by what it does without: numba (its few formulas are interpreted) and pyarrow (the recording is read by a
process that ends when it has been read). Therefore the server is imported only when that has been arranged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from atm.app.child import die_with
from atm.model.endpoint import Addresses
from atm.model.fault import FaultSchedule
from atm.model.instrument import Instrument
from atm.model.kernel import interpret_kernels
from atm.storage.sample import load_exchange_info, load_instruments
from atm.storage.store_aside import StoreAside

if TYPE_CHECKING:
    from atm.exchange.demo.recording import BarSource

_LOOK_S = 0.5
"""How often is looked whether the end has come where nothing tells."""


def run_demo_exchange(
    port: int,
    speed: float,
    home: Path | None,
    data: Path | None,
    assets: Path,
    on_ready: Callable[[Addresses], None],
    stop: threading.Event | None = None,
    faults: FaultSchedule | None = None,
    recorded: Path | None = None,
) -> None:
    """Serve until `stop` is set or SIGTERM or SIGINT comes. `data`: a market store, by default the shipped sample; `recorded`: the
    file of a recorded session instead; `faults`: of this schedule, from the beginning. Raises Invalid for a schedule or a session
    that cannot be."""
    is_over = (stop or threading.Event()).is_set
    store = data or assets / "sample"
    asyncio.run(_serve(port, speed, home, store, assets, on_ready, is_over, faults=faults, recorded=recorded))


def serve_child(
    port: int, speed: float, home: Path | None, assets: Path, main_pid: int, recorded: Path | None = None
) -> None:
    """Entry of the program's child process; ends with the program, however that ended."""
    logging.basicConfig(level=logging.INFO)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with(main_pid)
    look_s = None if hasattr(os, "pidfd_open") else _LOOK_S

    def is_over() -> bool:
        return _has_ended(main_pid)

    asyncio.run(
        _serve(
            port,
            speed,
            home,
            assets / "sample",
            assets,
            lambda _: None,
            is_over,
            (signal.SIGTERM,),
            look_s,
            recorded=recorded,
            owner=main_pid,
        )
    )


@contextlib.contextmanager
def _market(
    data: Path, recorded: Path | None, assets: Path
) -> Iterator[tuple[BarSource, tuple[Instrument, ...], dict[str, Any]]]:
    """What is replayed, with its instruments and its exchangeInfo. Raises Invalid for a session that cannot be replayed."""
    instruments, info = load_instruments(assets), load_exchange_info(assets)
    if recorded is None:
        with StoreAside(data) as source:
            interpret_kernels()
            yield source, instruments, info
        return
    interpret_kernels()
    from atm.exchange.demo.session import recorded_session

    yield recorded_session(recorded, instruments, info)


def _has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _end_with(owner: int, ended: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """Set `ended` when another process is gone. The fork server does not end with it: it lives as long as any process that it has
    made, and so would this one, which takes no part in the queues that end the others."""
    try:
        loop.add_reader(os.pidfd_open(owner), ended.set)
    except ProcessLookupError:
        ended.set()


async def _serve(
    port: int,
    speed: float,
    home: Path | None,
    data: Path,
    assets: Path,
    on_ready: Callable[[Addresses], None],
    is_over: Callable[[], bool],
    signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT),
    look_s: float | None = _LOOK_S,
    faults: FaultSchedule | None = None,
    recorded: Path | None = None,
    owner: int = 0,
) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    if owner and hasattr(os, "pidfd_open"):
        _end_with(owner, ended, loop)
    # Signals can only be taken in the main thread, and not on Windows: there `is_over` alone ends the server.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        for number in signals:
            loop.add_signal_handler(number, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        with _market(data, recorded, assets) as market:
            from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange

            if is_over():
                return  # while the recording was read; the exchange of the next program keeps the state now
            options = DemoExchangeOptions(port=port, speed=speed, home=home, faults=faults)
            addresses = await stack.enter_async_context(running_demo_exchange(options, *market))
        on_ready(addresses)
        while not ended.is_set() and not is_over():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), look_s)
