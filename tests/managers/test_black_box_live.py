"""The black box of an actual account, between both managers and a demo exchange behind real sockets."""

from __future__ import annotations

import time
from pathlib import Path

from atm.exchange.client.rest import FuturesClient, with_brackets
from atm.exchange.client.transport import Credentials
from atm.ipc.messages import TRADE
from atm.managers.live_desk import LiveDesk
from atm.model.endpoint import Addresses
from atm.model.incident import Wanted
from atm.model.instrument import Instrument
from atm.storage.flight_log import FlightLimits, FlightLog
from atm.trading.black_box.incident import Incident, export
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.black_box.records import Aimed, LiveCall
from atm.trading.black_box.replay import replay
from tests.exchange.client.test_client_demo import demo
from tests.managers.test_live_desk import SETUP, TRADE_CONFIGURATION, Managers


class RecordedManagers(Managers):
    """Both desks, the trade manager's with a black box."""

    def __init__(self, home: Path, addresses: Addresses, market: FuturesClient, instruments: dict[str, Instrument]):
        self.box = home / "box"
        super().__init__(home, addresses, market, instruments)

    def begin_trade(self) -> None:
        flight_log = FlightLog(self.box, FlightLimits(segment=50_000), lambda: time.time_ns() // 1_000_000)
        self.recorder = FlightRecorder(flight_log, lambda: time.monotonic() * 300, lambda: time.time_ns() // 1_000_000)
        self.desk = LiveDesk(
            self.bus.assistant(TRADE), self.journal, self._notify, lambda: None, last_trades=self.accounts.last_trades,
            logged=lambda _, record: self.logged.append(record), make=self.recorder.live,
        )  # fmt: skip
        self.desk.open(SETUP, {"t": TRADE_CONFIGURATION}, self.instruments)

    async def until(self, holds) -> None:
        await super().until(lambda: self.recorder.pulse() or holds())


async def test_a_session_with_a_killed_manager_is_replayed(home: Path) -> None:
    async with demo(speed=1) as addresses, FuturesClient(addresses, Credentials("demo", "demo")) as market:
        await market.synchronise()
        listed = with_brackets(await market.exchange_info(), await market.leverage_brackets())
        made = RecordedManagers(home, addresses, market, {each.symbol: each for each in listed})
        try:
            await made.until(lambda: made.desk.facts("first") is not None)
            made.aim("100")
            await made.until(lambda: made.quantity() == 100.0)
            made.bus.kill(TRADE)
            made.begin_trade()
            await made.until(lambda: made.quantity() == 100.0)
            made.aim("-20")
            await made.until(lambda: made.quantity() == -20.0)
            made.desk.flatten("first", "test")
            await made.until(lambda: made.quantity() == 0.0)
        finally:
            for task in list(made.tasks):
                task.cancel()
            await made.exchange.close()
    export(made.box, home / "a.atmincident", Wanted(0, 10**15), {}, "test", 0)
    lines = list(Incident(home / "a.atmincident").lines())
    found = replay(lines)
    assert (found.differences, found.missing) == ([], [])
    aims = [line for line in lines if isinstance(line.record, LiveCall) and isinstance(line.record.input, Aimed)]
    assert len(aims) == 2
    assert len({line.run for line in lines if line.account == "first"}) == 2
