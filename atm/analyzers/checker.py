"""Examines an indicator before anyone relies on it: does it keep its promises (see `contract`)?

On made-up markets, with and without missing bars: the future leaves the past as it was; bars one by one, in pieces and at
once give the same bits; an open bar changes nothing; nothing is kept outside of the state array; values are there after
the declared warm-up, and the start is forgotten after the declared settling. Takes the indicator as it is and does no I/O;
what it cannot know is whether a kernel ever returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numba
import numpy as np
from numba.core.errors import NumbaError

from atm.analyzers.contract import CLOCK_ROWS, Advance, Floats, Indicator
from atm.model.analysis_configuration import IntervalAnalyses
from atm.model.bars import N_COLUMNS
from atm.model.errors import ATMError
from atm.model.interval import MINUTE_MS

FEWEST_BARS, MOST_BARS = 600, 20_000
MOST_SETTLING_BARS = 200_000
"""Settling that takes longer is not examined."""
TOLERANCE = 1e-5
"""Difference after settling, as a share of a field's largest value: the start's weight of 1e-6 and some rounding."""
_START_MS = 1_690_848_000_000
_LATER = 37
"""By how many bars the second start is later; coprime to common windows."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The badge of an indicator. sentence: what is wrong, "" when it passed."""

    passed: bool
    sentence: str = ""


class _Broken(Exception):
    """A promise that is not kept; the text completes "the indicator NAME …"."""


def check(indicator: Indicator[Any], analyses: IntervalAnalyses | None = None) -> Verdict:
    """Examine every line of the indicator in `analyses`, or one with default parameters and one with the least."""
    try:
        if not isinstance(indicator.advance, numba.core.registry.CPUDispatcher):
            raise _Broken("has a function advance that is not compiled: write @kernel above it")
        for parameters in _lines(indicator, analyses):
            inputs = len(indicator.inputs(analyses or IntervalAnalyses()))
            _Examination(indicator, parameters, inputs).run()
    except (_Broken, ATMError) as error:
        return Verdict(False, f"the indicator {indicator.name} {error}")
    except NumbaError as error:
        return Verdict(False, f"the indicator {indicator.name} does not compile: {first_words(error)}")
    except Exception as error:  # noqa: BLE001  (any mistake of a user's code is a verdict, not a failure of the program)
        return Verdict(False, f"the indicator {indicator.name} fails with {type(error).__name__}: {first_words(error)}")
    return Verdict(True)


def _lines(indicator: Indicator[Any], analyses: IntervalAnalyses | None) -> list[Any]:
    if analyses is not None and indicator.lines is not None:
        return list(indicator.lines(analyses))
    if indicator.parameters is None:
        return []
    return [indicator.parameters(), *least(indicator.pack, indicator.parameters)]


def least(pack: Callable[[Any], Any], kind: type[msgspec.Struct]) -> list[Any]:
    """Parameters with every whole number at its lower bound: the smallest windows, where mistakes by one hide."""
    described: Any = msgspec.inspect.type_info(kind)
    bounds = {}
    for field in described.fields:
        plain = field.type.type if isinstance(field.type, msgspec.inspect.Metadata) else field.type
        if isinstance(plain, msgspec.inspect.IntType) and plain.ge is not None:
            bounds[field.name] = plain.ge
    line = msgspec.structs.replace(kind(), **bounds)
    try:
        pack(line)
    except ATMError:
        return []  # parameters that do not fit each other are never run
    return [line] if bounds else []


def first_words(error: Exception) -> str:
    """What went wrong, without the compiler's page of advice, and the line of the file where it is known."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Failed in", "During:", "[1]", "^", "<source"))]
    where = next((line for line in lines if line.startswith('File "')), "")
    return (telling or lines or [""])[0] + (f" ({where})" if where else "")


class _Examination:
    """One line of one indicator. Frames are float64 (9 bar rows + inputs + fields + clock rows, bars)."""

    def __init__(self, indicator: Indicator[Any], parameters: Any, inputs: int) -> None:
        self._indicator = indicator
        self._fields = indicator.fields
        self._out = slice(N_COLUMNS + inputs, N_COLUMNS + inputs + len(self._fields))
        self._inputs = inputs
        own = _array("pack", indicator.pack(parameters))
        head = np.array([inputs, *range(N_COLUMNS, N_COLUMNS + inputs)], np.float64) if inputs else np.empty(0)
        self._params = np.concatenate([head, own])
        self._advance = indicator.advance
        self._warm_up, self._settle = indicator.warm_up(parameters), indicator.settle(parameters)
        if self._warm_up < 1 or (self._settle is not None and self._settle < 0):
            raise _Broken(f"declares a warm-up of {self._warm_up} and settling of {self._settle} bars")
        self._bars = min(max(FEWEST_BARS, 2 * self._warm_up + 200), MOST_BARS)

    def run(self) -> None:
        frame = self._market(self._bars, holes=0.1)
        self._stays_inside(frame[:, :FEWEST_BARS])
        batch = self._batch(frame)
        self._repeatable(frame, batch)
        self._blind_for_the_future(frame, batch)
        whole = self._market(self._bars, holes=0.0)  # one missing bar can hide what is read from the others
        self._blind_for_the_future(whole, self._batch(whole))
        self._the_same_in_pieces(frame, batch)
        self._open_bars_leave_no_trace(frame, batch)
        self._declared_bars()

    # --- promises ---------------------------------------------------------------------------------------------

    def _stays_inside(self, frame: Floats) -> None:
        plain: Advance = self._advance.py_func  # type: ignore[attr-defined]
        guarded: Any = numba.njit(boundscheck=True, error_model="numpy")(plain)
        try:
            for begin, end in ((0, frame.shape[1]), *((i, i + 1) for i in range(12))):
                piece = np.array(frame[:, begin:end], order="C")
                guarded(self._params.copy(), self._fresh(), piece, 0, end - begin, piece[self._out])
        except IndexError:
            raise _Broken("reads or writes outside of its arrays; only columns start to stop − 1 are there") from None

    def _repeatable(self, frame: Floats, batch: Floats) -> None:
        params = self._params.copy()
        again = frame.copy()
        again[self._out] = -12345.678
        before = again.copy()
        state = self._fresh()
        size = len(state)
        self._advance(params, state, again, 0, again.shape[1], again[self._out])
        outside = np.r_[0 : self._out.start, self._out.stop : len(frame)]
        if not (_equal(again[outside], before[outside]) and _equal(params, self._params) and len(state) == size):
            raise _Broken("changes its parameters or the bars it is given")
        difference = self._difference(batch, self._batch(frame))
        if difference:
            reason = "it is random, or keeps something outside of its state array"
            raise _Broken(f"gives other results when it is run again on the same bars ({difference}): {reason}")
        difference = self._difference(batch, again[self._out])
        if difference:
            raise _Broken(f"does not write every column of `out`, or reads it ({difference})")

    def _blind_for_the_future(self, frame: Floats, batch: Floats) -> None:
        for cut in (self._bars // 2, self._bars - 7):
            changed = frame.copy()
            changed[: self._out.start, cut:] = (
                np.random.default_rng(cut).random((self._out.start, self._bars - cut)) * 1e3
            )
            difference = self._difference(batch[:, :cut], self._batch(changed)[:, :cut])
            difference = difference or self._difference(batch[:, :cut], self._batch(frame[:, :cut]))
            if difference:
                raise _Broken(f"looks ahead: bars after bar {cut} change results before it ({difference})")

    def _the_same_in_pieces(self, frame: Floats, batch: Floats) -> None:
        random = np.random.default_rng(5)
        edges = np.unique(np.concatenate([[0, self._bars], random.integers(0, self._bars, 9)]))
        for cuts, how in ((edges, "in pieces"), (np.arange(self._bars + 1), "one by one")):
            state, parts = self._fresh(), []
            for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
                parts.append(self._piece(state, frame, begin, end))
            difference = self._difference(batch, np.concatenate(parts, axis=1))
            if difference:
                raise _Broken(f"gives other results when bars come {how} than at once ({difference})")

    def _open_bars_leave_no_trace(self, frame: Floats, batch: Floats) -> None:
        open_bars = frame.copy()
        open_bars[:N_COLUMNS] *= 1.5
        state, parts = self._fresh(), []
        for i in range(min(self._bars, FEWEST_BARS)):
            self._piece(state.copy(), open_bars, i, i + 1)
            parts.append(self._piece(state, frame, i, i + 1))
        results = np.concatenate(parts, axis=1)
        difference = self._difference(batch[:, : results.shape[1]], results)
        if difference:
            raise _Broken(f"remembers open bars ({difference}): it keeps something outside of its state array")

    def _declared_bars(self) -> None:
        if self._settle is None or self._indicator.external:
            return
        needed = max(self._warm_up, self._settle)
        if needed > MOST_SETTLING_BARS:
            return
        frame = self._market(needed + _LATER + 300, holes=0.0)
        one, other = self._batch(frame), self._batch(frame[:, _LATER:])
        for row, field in enumerate(self._fields):
            if field in self._indicator.event_fields:
                continue
            defined = np.flatnonzero(~np.isnan(one[row]))
            if not len(defined):
                raise _Broken(f"never gives {field} a value")
            if defined[0] >= self._warm_up and len(defined) == frame.shape[1] - defined[0]:
                raise _Broken(f"declares a warm-up of {self._warm_up} bars, but {field} begins at bar {defined[0] + 1}")
            left, right = one[row, _LATER + needed :], other[row, needed:]
            scale = float(np.nanmax(np.abs(one[row])))
            apart = np.flatnonzero(~(np.isclose(left, right, 0.0, TOLERANCE * scale, equal_nan=True)))
            if len(apart):
                raise _Broken(
                    f"declares that its start is forgotten after {needed} bars, but {field} still depends on it"
                )

    # --- running it -------------------------------------------------------------------------------------------

    def _batch(self, frame: Floats) -> Floats:
        return self._piece(self._fresh(), frame, 0, frame.shape[1])

    def _piece(self, state: Floats, frame: Floats, begin: int, end: int) -> Floats:
        """Results of some bars on a copy of their columns, whose rows for results hold junk."""
        piece = np.array(frame[:, begin:end], order="C")
        self._advance(self._params, state, piece, 0, end - begin, piece[self._out])
        return piece[self._out].copy()

    def _fresh(self) -> Floats:
        return _array("state", self._indicator.state(self._params.copy())).copy()

    def _market(self, bars: int, holes: float) -> Floats:
        random = np.random.default_rng(11)
        close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 4e-3, bars)))
        opened = np.concatenate([[100.0], close[:-1]])
        frame = random.normal(0.0, 1e6, (self._out.stop + CLOCK_ROWS, bars))
        frame[0], frame[3] = opened, close
        frame[1] = np.maximum(opened, close) * (1.0 + random.random(bars) * 2e-3)
        frame[2] = np.minimum(opened, close) * (1.0 - random.random(bars) * 2e-3)
        frame[4:N_COLUMNS] = random.random((N_COLUMNS - 4, bars)) * 50.0
        frame[N_COLUMNS : self._out.start] = random.normal(0.0, 1.0, (self._inputs, bars))
        frame[:N_COLUMNS, random.random(bars) < holes] = np.nan
        frame[-2] = _START_MS + np.arange(bars) * float(MINUTE_MS)
        frame[-1] = frame[-2] // MINUTE_MS
        return frame

    def _difference(self, left: Floats, right: Floats) -> str:
        """The first difference of two results in words; "" when they are the same bits."""
        apart = ~((left == right) | (np.isnan(left) & np.isnan(right)))
        if not apart.any():
            return ""
        bar = int(np.flatnonzero(apart.any(axis=0))[0])
        field = int(np.flatnonzero(apart[:, bar])[0])
        return f"{self._fields[field]} at bar {bar}: {left[field, bar]:.6g} and {right[field, bar]:.6g}"


def _equal(left: Floats, right: Floats) -> bool:
    return bool(np.array_equal(left, right, equal_nan=True))


def _array(name: str, value: Any) -> Floats:
    if not isinstance(value, np.ndarray) or value.dtype != np.float64 or value.ndim != 1:
        raise _Broken(f"must return a one-dimensional float64 array from {name}, not {type(value).__name__}")
    return value
