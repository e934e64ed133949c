"""Fetches mark prices and funding rates for minutes whose bars are stored already: the work of the job that fills them in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import numpy as np

from atm.ipc.assistant import IPCAssistant, error_of
from atm.ipc.messages import BINANCE_API, Failed, FetchedMarks, FetchFunding, FetchMarks, Reply
from atm.model.bars import Source, TimeRange
from atm.model.errors import ATMError, Invalid, Refused, Unavailable
from atm.model.mark import MARK_PRICES, RecordedMarks
from atm.storage.fetch_plan import PAUSES_S, TRIES
from atm.storage.market_store import MarketStore

Settled = Callable[[ATMError | None], None]


class MarksDesk:
    """store: the writer; touched: told when something has been stored; timeout_s: of one request. On the dispatch thread."""

    def __init__(
        self, assistant: IPCAssistant, store: MarketStore, touched: Callable[[str], None], timeout_s: float
    ) -> None:
        self._assistant = assistant
        self._store = store
        self._touched = touched
        self._timeout_s = timeout_s

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes whose mark prices are stored."""
        return self._store.marks_coverage(symbol)

    def want(self, symbol: str, piece: TimeRange, settled: Settled) -> None:
        """Have a piece fetched, of at most 1,500 minutes that are over; `settled` gets None when what there is is stored."""
        self._ask(FetchMarks(symbol, piece.start_ms, piece.end_ms), settled)

    def want_rates(self, symbol: str, wanted: TimeRange, settled: Settled) -> None:
        """The same for the funding rates of any range."""
        self._ask(FetchFunding(symbol, wanted.start_ms, wanted.end_ms), settled)

    def _ask(self, request: FetchMarks | FetchFunding, settled: Settled, tries: int = 1) -> None:
        answered = partial(self._answered, request, settled, tries)
        self._assistant.request_async(BINANCE_API, request, answered, timeout=self._timeout_s)

    def _answered(self, request: FetchMarks | FetchFunding, settled: Settled, tries: int, reply: Reply) -> None:
        try:
            if isinstance(reply, Failed):
                raise error_of(reply)
            if not isinstance(reply, FetchedMarks):
                raise Unavailable(f"{BINANCE_API} answered {type(request).__name__} with {type(reply).__name__}")
            self._store.append_marks(request.symbol, _columns(reply), Source.REST)
        except ATMError as error:
            if isinstance(error, Refused | Invalid) or tries >= TRIES:
                settled(error)
            else:
                self._assistant.call_later(PAUSES_S[tries - 1], partial(self._ask, request, settled, tries + 1))
            return
        if reply.open_time:
            self._touched(request.symbol)
        settled(None)


def _columns(reply: FetchedMarks) -> RecordedMarks:
    """Prices and rates apart; a minute may have either."""
    rows = np.array([msgspec.structs.astuple(mark) for mark in reply.marks], np.float64).reshape(-1, MARK_PRICES + 1).T
    times = np.array(reply.open_time, np.int64)
    priced, rated = ~np.isnan(rows[0]), ~np.isnan(rows[MARK_PRICES])
    prices = np.ascontiguousarray(rows[:MARK_PRICES, priced])
    return RecordedMarks(times[priced], prices, times[rated], rows[MARK_PRICES, rated])
