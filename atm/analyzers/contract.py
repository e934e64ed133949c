"""What an indicator is, and the one door through which every indicator enters, built-in or a user's.

An indicator is a parameter struct, a state array and one compiled function `advance`. A batch is one call over a range, live
is a call for one bar on the same code, an open bar is a call on a copy of the state: so batch, live and preview cannot
differ. `advance(params, state, values, start, stop, out)`:

* params  float64 (k,)      the parameters as `Indicator.pack` laid them out; if the indicator has `inputs`, before them
                            the number of inputs and the row of `values` in which each stands
* state   float64 (s,)      everything that outlives a bar; changed in place. Its size is fixed by the parameters.
* values  float64 (≥ 11, n) rows 0 … 8 are the bar (`atm.model.bars.Column`); `values[OPEN_TIME]` is the open time (Unix ms)
                            and `values[NUMBER]` the bar's number on the clock (bars since 1970). The rows between are the
                            results of the indicators before it.
* out     float64 (f, n)    its own rows, one per field, NaN = no value

It must write columns start … stop − 1 of `out` from those of `values` and the state, and read no later column. A missing
bar is NaN in every row of the bar, but its open time and number are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.analysis_configuration import IntervalAnalyses
from atm.model.errors import Invalid, complain
from atm.model.indicator_style import IndicatorStyle
from atm.model.trade_method import MOST_MEMORY, TradeMethod
from atm.model.validation import mistakes

Floats = NDArray[np.float64]
Advance = Callable[[Floats, Floats, Floats, int, int, Floats], None]
P = TypeVar("P", bound=msgspec.Struct)

OPEN_TIME: Final = -2
NUMBER: Final = -1
CLOCK_ROWS: Final = 2
FORGOTTEN: Final = 1e-6
"""A start counts as forgotten when its weight in every result is below this (analysis D16)."""


@dataclass(frozen=True)
class Indicator(Generic[P]):
    """A registered indicator.

    name: upper-case part of its column names; fields: output fields, in the order of the rows of `out`.
    parameters: the struct of one line of a user's indicator, whose lines stand in `IntervalAnalyses.user` under its name.
    field: the field of `IntervalAnalyses` that holds the lines of a built-in one; "" of an input without parameters.
    lines: its lines in an interval, of a built-in one; a line's column is `interval.name.line.field`, line counted from 1,
    or 0 when `singleton`. Raises Invalid for parameters that do not fit each other.
    pack: parameters → float64 params (the inputs are put before them). Raises Invalid like `lines`.
    state: params → the state before the first bar.
    warm_up: bars until the fields have values (one that marks an event waits for its first event), counted from where the
    inputs have theirs; settle: bars until the start is forgotten (`FORGOTTEN`), None where that depends on the market's
    path and not on a number of bars.
    inputs: columns of other indicators that it reads, as `NAME.line.field`; those indicators are registered before it.
    event_fields: fields that mark an event or count from one, so that neither warm-up nor settling binds them.
    version: hash of a user's source; states and stored results of another version are void.
    external: its values come from outside the bars (`atm.analyzers.external`); `advance` stands in where there are none.
    style: how it is drawn on a chart; None: its fields as lines.
    """

    name: str
    fields: tuple[str, ...]
    pack: Callable[[P], Floats]
    state: Callable[[Floats], Floats]
    advance: Advance
    warm_up: Callable[[P], int]
    settle: Callable[[P], int | None]
    lines: Callable[[IntervalAnalyses], Sequence[P]] | None = None
    parameters: type[P] | None = None
    singleton: bool = False
    inputs: Callable[[IntervalAnalyses], tuple[str, ...]] = lambda _configuration: ()
    event_fields: tuple[str, ...] = ()
    version: str = ""
    external: bool = False
    field: str = ""
    style: IndicatorStyle | None = None

    def lines_of(self, analyses: IntervalAnalyses) -> Sequence[P]:
        """Its lines in an interval. Raises Invalid, or Problems with everything wrong in a user's lines."""
        if self.lines is not None:
            return self.lines(analyses)
        raw = analyses.user.get(self.name, ())
        kind = self.parameters
        if kind is None:
            return ()
        complain([each for i, one in enumerate(raw) for each in mistakes(one, kind, f"user.{self.name}[{i}]")])
        return [msgspec.convert(one, kind) for one in raw]


class Registry:
    """Indicators by name, evaluated in the order of their registration; and users' trade-control methods, by name.

    Methods are not looked at here (`atm.trading` does): a file is loaded once for both.
    """

    def __init__(self) -> None:
        self._indicators: dict[str, Indicator[Any]] = {}
        self._methods: dict[str, TradeMethod[Any]] = {}

    @property
    def methods(self) -> Mapping[str, TradeMethod[Any]]:
        return self._methods

    def register(self, indicator: Indicator[Any] | TradeMethod[Any]) -> None:
        """Admit an indicator or a method. Raises Invalid when a name or a field is no identifier, or the name is taken."""
        if isinstance(indicator, TradeMethod):
            self._register_method(indicator)
            return
        if not isinstance(indicator, Indicator):
            raise Invalid("registered", type(indicator).__name__, "an Indicator or a TradeMethod")
        if not indicator.name.isidentifier() or indicator.name in self._indicators:
            raise Invalid("indicator name", indicator.name, "an identifier that no other indicator has")
        names = indicator.fields
        if not names or len(set(names)) != len(names) or not all(field.isidentifier() for field in names):
            raise Invalid(f"fields of {indicator.name}", names, "at least one, distinct identifiers")
        if (indicator.lines is None) == (indicator.parameters is None):
            raise Invalid(
                f"parameters of {indicator.name}", indicator.parameters, "a msgspec struct, unless it is built in"
            )
        unknown = sorted((indicator.style.fields() if indicator.style is not None else frozenset()) - set(names))
        if unknown:
            raise Invalid(f"style of {indicator.name}", unknown, f"its fields: {', '.join(names)}")
        self._indicators[indicator.name] = indicator

    def _register_method(self, method: TradeMethod[Any]) -> None:
        if not method.name.isidentifier() or method.name in self._methods:
            raise Invalid("method name", method.name, "an identifier that no other method has")
        if not (isinstance(method.parameters, type) and issubclass(method.parameters, msgspec.Struct)):
            raise Invalid(f"parameters of {method.name}", method.parameters, "a msgspec struct")
        if any(field.required for field in msgspec.structs.fields(method.parameters)):
            raise Invalid(f"parameters of {method.name}", method.parameters.__name__, "a default for every field")
        if not 0 <= method.memory <= MOST_MEMORY:
            raise Invalid(f"memory of {method.name}", method.memory, f"0 to {MOST_MEMORY} numbers")
        if not isinstance(method.every_minute, bool):
            raise Invalid(f"every_minute of {method.name}", method.every_minute, "True or False")
        self._methods[method.name] = method

    def __iter__(self) -> Iterator[Indicator[Any]]:
        return iter(self._indicators.values())

    def __contains__(self, name: object) -> bool:
        return name in self._indicators

    def __getitem__(self, name: str) -> Indicator[Any]:
        return self._indicators[name]
