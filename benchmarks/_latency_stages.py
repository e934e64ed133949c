"""The processes of the program as `latency.py` runs them: each is the real one, with the moments noted at which a bar, its row, its
decision and its order pass. Notes go to a file of each process in the home folder (nanoseconds of the machine's clock).
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from atm.app.process_table import MANAGERS, WORKERS
from atm.exchange.client.transport import FuturesTransport
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import BINANCE_API, TRADE, AnalysisRow, CarryOut, ClosedBar, Event, Request
from atm.managers.live_desk import LiveDesk
from atm.managers.live_exchange_desk import LiveExchangeDesk
from atm.managers.minute_barrier import MinuteBarrier
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.journal import JournalEntry, Target
from atm.model.live_request import PlaceOrder
from atm.model.order_facts import Intended
from atm.model.program import ProgramContext
from atm.storage.orders import OrderJournal

NOTES = "latency-{}.txt"
_MODULES = {program.name: program.module for program in MANAGERS}

Note = Callable[[str, str, str | int], None]


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of every process: the real one's, watched."""
    file = (context.home / NOTES.format(f"{assistant.name}-{os.getpid()}")).open("w", buffering=1)

    def note(what: str, symbol: str, number: str | int) -> None:
        file.write(f"{what} {symbol} {number} {time.time_ns()}\n")

    _watch_events(assistant, note)
    if assistant.name == TRADE:
        _watch_trade(assistant, note)
    if assistant.name == BINANCE_API:
        _watch_exchange(note)
    module = _MODULES.get(assistant.name) or WORKERS[assistant.name.partition("-")[0]]
    importlib.import_module(module).run(assistant, context)


def _watch_events(assistant: IPCAssistant, note: Note) -> None:
    publish = assistant.publish

    def noted(event: Event, key: str = "") -> None:
        if isinstance(event, ClosedBar):
            note("published", event.symbol, event.bar.open_time + MINUTE_MS)
        elif isinstance(event, AnalysisRow):
            note("row", event.symbol, event.close_time)
        publish(event, key)

    assistant.publish = noted  # type: ignore[method-assign]


def _watch_trade(assistant: IPCAssistant, note: Note) -> None:
    add_bar, add_row, aim = MinuteBarrier.add_bar, MinuteBarrier.add_row, LiveDesk.aim
    append, ask = OrderJournal.append, assistant.request_async

    def bar_came(self: MinuteBarrier, symbol: str, bar: Bar) -> None:
        note("bar", symbol, bar.open_time + MINUTE_MS)
        add_bar(self, symbol, bar)

    def row_came(self: MinuteBarrier, analysis: str, close_ms: int, values: tuple[float, ...]) -> None:
        note("told", analysis.partition("/")[0], close_ms)
        add_row(self, analysis, close_ms, values)

    def decided(self: LiveDesk, name: str, targets: Iterable[Target]) -> bool:
        wanted = list(targets)
        for target in wanted:
            note("decided", target.symbol, target.decision_ms)
        return aim(self, name, wanted)

    def stored(self: OrderJournal, account: str, entries: Sequence[JournalEntry], *rest: Any) -> Any:
        found = append(self, account, entries, *rest)
        for entry in entries:
            if isinstance(entry, Intended) and not entry.intent.is_conditional:
                note("journalled", entry.intent.symbol, entry.intent.client_id)
        return found

    def asked(to: str, request: Request, *rest: Any, **named: Any) -> None:
        if isinstance(request, CarryOut) and isinstance(request.request, PlaceOrder):
            intent = request.request.intent
            if not intent.is_conditional:
                note(f"order:{intent.decision_ms}", intent.symbol, intent.client_id)
        ask(to, request, *rest, **named)

    MinuteBarrier.add_bar, MinuteBarrier.add_row = bar_came, row_came  # type: ignore[method-assign]
    LiveDesk.aim = decided  # type: ignore[method-assign]
    OrderJournal.append = stored  # type: ignore[method-assign]
    assistant.request_async = asked  # type: ignore[method-assign]


def _watch_exchange(note: Note) -> None:
    carry_out, attempt = LiveExchangeDesk._on_carry_out, FuturesTransport._attempt

    def taken(self: LiveExchangeDesk, request: CarryOut) -> Any:
        wanted = request.request
        if isinstance(wanted, PlaceOrder) and not wanted.intent.is_conditional:
            note("taken", wanted.intent.symbol, wanted.intent.client_id)
        return carry_out(self, request)

    async def sent(self: FuturesTransport, placing: bool, *rest: Any) -> Any:
        given = rest[-1].get("data", {})
        if placing and "newClientOrderId" in given:
            note("sent", given["symbol"], given["newClientOrderId"])
        return await attempt(self, placing, *rest)

    LiveExchangeDesk._on_carry_out = taken  # type: ignore[method-assign]
    FuturesTransport._attempt = sent  # type: ignore[method-assign]
