"""Has the chosen analyses of a chart computed by an analyzer, and keeps them up to date with the running minute.

An analyzer is asked once, then for what has come since; while none runs, main is asked to start one. What is shown stays until
there is something better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from atm.gui.analysis_choice import Line, wanted_columns
from atm.gui.analysis_series import AnalysisSeries
from atm.gui.results import AnalysedStretch
from atm.gui.ui import Ui
from atm.ipc.messages import MAIN, AnalyseBars, StartWorker
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.errors import Invalid

PERIOD_MS = 1_000
"""How often an analyzer is asked at most for the newest values."""
RETRY_MS = 5_000
START_AFTER_MS = 1_500
"""How long there must be no analyzer before one is asked for: one may be on its way."""
SCOPE = "market.analyzer"

_Answer = AnalysisSeries | AnalysedStretch | Invalid


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown: lines of a configuration on a symbol. bar_ms: length of its bars on the axis."""

    symbol: str
    configuration: AnalysisConfiguration
    lines: tuple[Line, ...]
    bar_ms: int

    def request(self, start_ms: int, end_ms: int, running: Bar | None) -> AnalyseBars:
        columns = wanted_columns(self.configuration.decision, self.lines)
        return AnalyseBars(self.symbol, self.configuration, start_ms, end_ms, columns, running)


@dataclass(slots=True)
class ChartAnalysis:
    """See the module. series and lines are what is shown: those of the last wish that was computed; problem: what an
    analyzer found wrong with the wish, or what else keeps it from being computed."""

    series: AnalysisSeries | None = None
    lines: tuple[Line, ...] = ()
    problem: str = ""
    revision: int = 0
    _wish: Wish | None = None
    _computed: Wish | None = None
    _asked: tuple[str, AnalyseBars] | None = None
    _serial: int = 0
    _ask_from_ms: int = 0
    _missing_since_ms: int = 0
    _seen: tuple[int, Bar | None] | None = None

    def wish(self, wish: Wish | None) -> None:
        """Show this from now on; None: nothing."""
        if wish == self._wish:
            return
        before, self._wish = self._wish, wish
        self.problem, self._asked, self._ask_from_ms = "", None, 0
        other_axis = wish is None or before is None or (wish.symbol, wish.bar_ms) != (before.symbol, before.bar_ms)
        if other_axis or wish is None or not wish.lines:
            self.series, self.lines, self._computed = None, (), None
            self.revision += 1

    @property
    def wanted(self) -> bool:
        """Whether anything is to be shown."""
        return self._wish is not None and bool(self._wish.lines)

    def follow(self, ui: Ui, span: tuple[int, int], running: Bar | None) -> None:
        """Go on: ask, or take in an answer. span: first time and end of the closed minutes; running: the open one."""
        wish = self._wish
        if wish is None or not wish.lines or span[0] >= span[1]:
            return
        running = running if running is not None and running.open_time == span[1] else None
        if self._asked is None and not self._ask(ui, wish, span, running):
            return
        assert self._asked is not None
        read = self._reader(ui, wish)
        key = ("analysis", id(self), self._serial)
        loaded = ui.stored.get(key, read)
        if loaded.loading:
            return
        ui.stored.forget(key)
        self._asked = None
        self._ask_from_ms = ui.now_ms + (PERIOD_MS if loaded.value is not None else RETRY_MS)
        if loaded.value is None:
            self._seen, self.problem = None, loaded.error
        else:
            self._take_in(wish, loaded.value)

    def _ask(self, ui: Ui, wish: Wish, span: tuple[int, int], running: Bar | None) -> bool:
        """Make the next request, if there is a reason to and an analyzer to ask."""
        fresh = self._computed != wish or self.series is None
        if ui.now_ms < self._ask_from_ms or (not fresh and self._seen == (span[1], running)):
            return False
        analyzer = ui.model.analyzer()
        if analyzer is None:
            self._start_analyzer(ui)
            return False
        self._missing_since_ms = 0
        start_ms = span[0] if fresh or self.series is None else int(self.series.time[-1])
        self._serial += 1
        self._asked = analyzer, wish.request(start_ms, span[1], running)
        self._seen = span[1], running
        return True

    def _reader(self, ui: Ui, wish: Wish) -> Callable[[], _Answer]:
        """What the reader thread does: ask, and lay out a whole answer there, which takes longest."""
        assert self._asked is not None
        analyzer, request = self._asked
        results, whole = ui.results, self._computed != wish or self.series is None

        def read() -> _Answer:
            try:
                rows = results.analysis(analyzer, request)
            except Invalid as problem:
                return problem
            return AnalysisSeries(rows, wish.bar_ms) if whole else rows

        return read

    def _take_in(self, wish: Wish, answer: _Answer) -> None:
        if isinstance(answer, Invalid):
            self.problem = str(answer)
            self._ask_from_ms = 1 << 62  # the same wish would be refused again
            return
        self.problem = ""
        if isinstance(answer, AnalysedStretch):
            assert self.series is not None
            self.series.take_in(answer)
        elif len(answer):
            self.series, self.lines, self._computed = answer, wish.lines, wish
        else:
            self._seen = None  # the analyzer's store is behind: ask again
        self.revision += 1

    def _start_analyzer(self, ui: Ui) -> None:
        """Ask main for an analyzer once none has been there, or on its way, for a while."""
        if ui.model.awaits_analyzer() or ui.commands.pending(SCOPE):
            self._missing_since_ms = 0
            return
        if not self._missing_since_ms:
            self._missing_since_ms = ui.now_ms
        if ui.now_ms - self._missing_since_ms >= START_AFTER_MS:
            self._ask_from_ms = ui.now_ms + RETRY_MS
            self._missing_since_ms = 0
            ui.commands.send(MAIN, StartWorker("analyzer"), SCOPE)
