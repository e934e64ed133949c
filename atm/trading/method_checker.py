"""Examines a user's trade-control method before anyone trades by it: does it keep its promises (see `atm.model.trade_method`)?

On made-up columns and markets: answers stay within their bounds; the same question has the same answer, in whatever order
questions are asked, so nothing is kept outside of the memory; the future, cut or changed, leaves earlier trades as they were;
minute by minute, in one go, and stored half-way are the same bits.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numba
import numpy as np
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from atm.analyzers.checker import Verdict, first_words, least
from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.errors import ATMError
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval
from atm.model.kernel import kernel
from atm.model.trade_configuration import TradeConfiguration, UserMethod
from atm.model.trade_method import Answer, Held, TradeMethod
from atm.model.validation import checked
from atm.trading.engine import AccountEngine
from atm.trading.layout import Input
from atm.trading.method_call import call_method, compiled, with_bounds_checked
from atm.trading.minute_grid import MinuteGrid

Floats = NDArray[np.float64]

QUESTIONS = 400
"""Decisions asked for in one go."""
MARKETS = 4
"""How often, each time with columns of other kinds."""
DECISION_MINUTES = 5
_MINUTES = DECISION_MINUTES * 300
_MISSING = 0.05
"""Share of values of columns that are missing."""


class _Broken(Exception):
    """A promise that is not kept; the text completes "the method NAME …"."""


@kernel
def ask(address: int, params: Floats, memory: Floats, row: Floats, position: Floats, answer: Floats) -> int:
    """One decision, as the engine asks for it."""
    given: int = call_method(address, params, memory, row, position, answer)
    return given


def check_method(method: TradeMethod[Any]) -> Verdict:
    """Examine it with default parameters and with every whole number at its lower bound."""
    try:
        if not isinstance(method.decide, numba.core.registry.CPUDispatcher):
            raise _Broken("has a function decide that is not compiled: write @kernel above it")
        for parameters in [method.parameters(), *least(method.pack, method.parameters)]:
            _Examination(method, checked(parameters)).run()
    except (_Broken, ATMError) as error:
        return Verdict(False, f"the method {method.name} {error}")
    except NumbaError as error:
        return Verdict(False, f"the method {method.name} {_why_not_compiled(error)}")
    except Exception as error:  # noqa: BLE001  (any mistake of a user's code is a verdict, not a failure of the program)
        return Verdict(False, f"the method {method.name} fails with {type(error).__name__}: {first_words(error)}")
    return Verdict(True)


def _why_not_compiled(error: NumbaError) -> str:
    words = first_words(error)
    if "setitem(readonly array" in str(error):
        where = words[words.rfind(" (File") :] if " (File" in words else ""
        return f"writes into what it may only read: params, row, position or an array of its file{where}"
    return f"does not compile: {words}"


@dataclasses.dataclass
class _Asked:
    """Questions in their order: memory before and after, row, position, answer; each float64 (n, …)."""

    before: Floats
    after: Floats
    rows: Floats
    positions: Floats
    answers: Floats


class _Examination:
    def __init__(self, method: TradeMethod[Any], parameters: Any) -> None:
        self._method = method
        self._params = method.numbers(parameters)
        self._columns = len(method.names(parameters))
        self._settings = UserMethod(method.name, _plain(parameters))
        self._entry = compiled(method.decide)
        self._decision_step = 1 if method.every_minute else DECISION_MINUTES

    def run(self) -> None:
        for number in range(MARKETS):
            random = np.random.default_rng(number)
            asked = self._ask(random)
            self._within_bounds(asked)
            self._same_answers_in_any_order(asked, random)
        for number in range(2):
            self._trades(np.random.default_rng(number))

    # --- single decisions -------------------------------------------------------------------------------------

    def _ask(self, random: np.random.Generator) -> _Asked:
        close = _prices(random, QUESTIONS)
        rows = _columns(random, close, self._columns)
        positions = _positions(random, close)
        if self._method.every_minute:
            positions[:, Held.ELAPSED] = random.integers(1, DECISION_MINUTES + 1, QUESTIONS) / DECISION_MINUTES
        size = self._method.memory
        asked = _Asked(
            np.zeros((QUESTIONS, size)),
            np.zeros((QUESTIONS, size)),
            rows,
            positions,
            np.zeros((QUESTIONS, len(Answer))),
        )
        memory = np.zeros(size)
        for i in range(QUESTIONS):
            asked.before[i] = memory
            asked.answers[i] = self._answer(memory, rows[i], positions[i])
            asked.after[i] = memory
        return asked

    def _answer(self, memory: Floats, row: Floats, position: Floats) -> Floats:
        answer = np.full(len(Answer), np.nan)
        before = memory.copy()
        if ask(self._entry.address, self._params, memory, row, position, answer) == 0:
            self._raise_in(before, row, position)
            raise _Broken("fails at a decision")
        return answer

    def _raise_in(self, memory: Floats, row: Floats, position: Floats) -> None:
        """The failure again, where it can be heard."""
        read = [np.array(each) for each in (self._params, row, position)]
        for each in read:
            each.flags.writeable = False
        with_bounds_checked(self._method.decide)(read[0], memory, read[1], read[2], np.full(len(Answer), np.nan))

    def _within_bounds(self, asked: _Asked) -> None:
        for number, name, least_, most in (
            (Answer.TARGET, "an exposure", -1.0, 1.0),
            (Answer.STOP, "a stop price", 0.0, np.finfo(float).max),
            (Answer.LIMIT, "a limit price", 0.0, np.finfo(float).max),
        ):
            given = asked.answers[:, number]
            wrong = given[~np.isnan(given) & ~((given >= least_) & (given <= most))]
            if len(wrong):
                allowed = "−1 … 1" if number == Answer.TARGET else "0 or more, and finite"
                raise _Broken(f"answers {name} of {wrong[0]:g}; allowed: {allowed}, or NaN")

    def _same_answers_in_any_order(self, asked: _Asked, random: np.random.Generator) -> None:
        for i in random.permutation(QUESTIONS).tolist():
            memory = asked.before[i].copy()
            answer = self._answer(memory, asked.rows[i], asked.positions[i])
            if not (_same(answer, asked.answers[i]) and _same(memory, asked.after[i])):
                raise _Broken(
                    f"answers {answer[Answer.TARGET]:g} where it answered {asked.answers[i, Answer.TARGET]:g} to the same "
                    "question before: it is random, keeps something outside of its memory, or looks ahead through that"
                )

    # --- trades -----------------------------------------------------------------------------------------------

    def _trades(self, random: np.random.Generator) -> None:
        grid = self._market(random)
        whole = self._engine().run(grid)[0]
        for cut in (_MINUTES // 2, _MINUTES - 3 * DECISION_MINUTES):
            end = grid.start_ms + cut * MINUTE_MS
            known = [trade for trade in whole if trade.time_ms < end]
            for other in (_cut(grid, cut), self._with_another_future(grid, cut, random)):
                again = [trade for trade in self._engine().run(other)[0] if trade.time_ms < end]
                if again != known:
                    raise _Broken(f"looks ahead: minutes after minute {cut} change trades before it")
        if self._minute_by_minute(grid, int(random.integers(10, _MINUTES - 10))) != whole:
            raise _Broken("trades differently minute by minute, or stored and gone on with, than in one go")

    def _minute_by_minute(self, grid: MinuteGrid, stored_at: int) -> list[Any]:
        engine, trades = self._engine(), []
        for t in range(_MINUTES):
            if t == stored_at:
                state, engine = engine.dump(), self._engine()
                engine.load(state)
            minute = grid.start_ms + t * MINUTE_MS
            opened, high, low, close = (float(each[t, 0]) for each in grid[1:5])
            at = int(grid.row_at[t, 0])
            rows = {} if at < 0 else {"XUSDT/a": grid.rows[at]}
            engine.minute(minute, {"XUSDT": Bar(minute, opened, high, low, close, 1, 1, 1, 1, 1)}, rows)
            trades += engine.trades()
        return trades

    def _engine(self) -> AccountEngine:
        """One position on a symbol, whose columns all exist: it is given rows of its own."""
        method = dataclasses.replace(self._method, columns=lambda _parameters: ("KLINE.0.close",) * self._columns)
        return AccountEngine(
            {"USDT": AssetSetup(10_000)},
            [PositionSetup("XUSDT", "a", "t")],
            [AnalysisConfiguration.of_one("a", interval=Interval.M5)],
            [TradeConfiguration("t", leverage=2, full_stop_loss_immediate=0.05, method=self._settings)],
            [_INSTRUMENT],
            CostModel(),
            {method.name: method},
        )

    def _market(self, random: np.random.Generator) -> MinuteGrid:
        close = _prices(random, _MINUTES)
        opened = np.concatenate([[100.0], close[:-1]])
        high = np.maximum(opened, close) * (1.0 + random.random(_MINUTES) * 1e-3)
        low = np.minimum(opened, close) * (1.0 - random.random(_MINUTES) * 1e-3)
        decisions = np.arange(self._decision_step - 1, _MINUTES, self._decision_step)
        rows = np.full((len(decisions), len(Input) + self._columns), np.nan)
        rows[:, Input.OPEN], rows[:, Input.CLOSE] = opened[decisions], close[decisions]
        rows[:, Input.ELAPSED] = (decisions % DECISION_MINUTES + 1) / DECISION_MINUTES
        rows[:, len(Input) :] = _columns(random, close[decisions], self._columns)
        row_at = np.full((_MINUTES, 1), -1, np.int64)
        row_at[decisions, 0] = np.arange(len(decisions))
        return MinuteGrid(
            0, opened[:, None].copy(), high[:, None].copy(), low[:, None].copy(), close[:, None].copy(), rows, row_at
        )

    def _with_another_future(self, grid: MinuteGrid, cut: int, random: np.random.Generator) -> MinuteGrid:
        other = self._market(random)
        joined = [np.concatenate([a[:cut], b[cut:]]) for a, b in zip(grid[1:5], other[1:5], strict=True)]
        decided = cut // self._decision_step
        rows = np.concatenate([grid.rows[:decided], other.rows[decided:]])
        return MinuteGrid(grid.start_ms, joined[0], joined[1], joined[2], joined[3], rows, grid.row_at)


_INSTRUMENT = Instrument(
    "XUSDT", "X", "USDT", "TRADING", 2, 3, "0.01", "0.001", "0.001", "0.001", "100000", "5", "0.015"
)


def _cut(grid: MinuteGrid, minutes: int) -> MinuteGrid:
    opens, highs, lows, closes = (each[:minutes] for each in grid[1:5])
    return MinuteGrid(grid.start_ms, opens, highs, lows, closes, grid.rows, grid.row_at[:minutes])


def _prices(random: np.random.Generator, count: int) -> Floats:
    return np.asarray(100.0 * np.exp(np.cumsum(random.normal(0.0, 3e-3, count))))


def _columns(random: np.random.Generator, close: Floats, count: int) -> Floats:
    """Columns (n, count) of four kinds by chance: prices, shares of one and of a hundred, and numbers around 0."""
    n = len(close)
    made = np.empty((n, count))
    for column in range(count):
        kinds = (
            close * (1.0 + random.normal(0.0, 5e-3, n)), random.random(n), random.random(n) * 100.0,
            random.normal(0.0, 1.0, n),
        )  # fmt: skip
        made[:, column] = kinds[int(random.integers(0, len(kinds)))]
    made[random.random((n, count)) < _MISSING] = np.nan
    return made


def _positions(random: np.random.Generator, close: Floats) -> Floats:
    """Flat, long and short positions of which a method may be asked, (n, `Held`)."""
    n = len(close)
    side = random.integers(-1, 2, n).astype(np.float64)
    entry = close * (1.0 + random.normal(0.0, 0.02, n))
    made = np.zeros((n, len(Held)))
    made[:, Held.EXPOSURE] = side * random.random(n)
    made[:, Held.QUANTITY] = side * random.random(n) * 100.0
    made[:, Held.ENTRY] = np.where(side == 0.0, 0.0, entry)
    made[:, Held.RETURN] = side * (close / entry - 1.0)
    made[:, Held.BARS] = np.abs(side) * random.integers(1, 100, n)
    made[:, Held.STOPPED] = np.where(random.random(n) < 0.1, random.choice([-1.0, 1.0], n), 0.0)
    made[:, Held.ALLOCATED] = np.abs(side) * 1_000.0
    made[:, Held.TARGET] = side
    made[:, Held.CLOSE] = close
    made[:, Held.ELAPSED] = 1.0
    made[:, Held.STOP] = np.where((side != 0.0) & (random.random(n) < 0.5), close * (1.0 - side * 0.01), 0.0)
    return made


def _plain(parameters: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(parameters)
    return plain


def _same(left: Floats, right: Floats) -> bool:
    return bool(np.array_equal(left, right, equal_nan=True))
