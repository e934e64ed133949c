"""What a trade-control method of a user is: the contract between a file in `strategies/` and the account engine.

At every close of a decision bar, or of every minute where the method asks for that, the engine calls
`decide(params, memory, row, position, out)`, compiled by numba:

* params    float64 (k,)  the parameters as `TradeMethod.pack` laid them out; read only
* memory    float64 (m,)  everything that outlives a decision, all 0 before the first; changed in place
* row       float64 (c,)  the values of `TradeMethod.columns` at this close, NaN = no value; read only. Inside of a bar those of
                          the decision interval are provisional: as if the bar ended with this minute
* position  float64       the numbers of `Held`; read only
* out       float64       the numbers of `Answer`, all NaN before the call

A missing decision bar (no close) is no decision: `decide` is not called. Nor is it inside of a bar for a missing minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.errors import Invalid, complain
from atm.model.interval import Interval
from atm.model.validation import mistakes

Floats = NDArray[np.float64]
Decide = Callable[[Floats, Floats, Floats, Floats, Floats], None]
P = TypeVar("P", bound=msgspec.Struct)

MOST_PARAMETERS = 120
"""Numbers that `pack` may give."""
MOST_MEMORY = 64
"""Numbers that a method may remember."""
MOST_COLUMNS = 64
DECISION = "decision"
"""Stands for the decision interval in the name of a column."""
ELAPSED = "BAR.0.elapsed"
"""Column of the decision interval that only rows of every minute have: the share of the bar that is over, 1 at its close."""


class HeldLayout(NamedTuple):
    """What a method sees of its position, as of this close.

    EXPOSURE: share of the allocated balance that is invested, negative when short; QUANTITY: base assets, signed; ENTRY: average
    price, 0 when flat; RETURN: gain on the entry price, not realised, as a fraction; BARS: decision bars that closed since
    the entry; STOPPED: side (±1) that a stop has closed and that stays closed, 0 = none; ALLOCATED: balance in quote
    assets; TARGET: exposure that the last decision wanted; CLOSE: of this bar; STOP: price at which a stop acts, 0 = none;
    ELAPSED: share of the decision bar that is over, 1 at its close, less when the row is provisional.
    """

    EXPOSURE: int = 0
    QUANTITY: int = 1
    ENTRY: int = 2
    RETURN: int = 3
    BARS: int = 4
    STOPPED: int = 5
    ALLOCATED: int = 6
    TARGET: int = 7
    CLOSE: int = 8
    STOP: int = 9
    ELAPSED: int = 10


class AnswerLayout(NamedTuple):
    """What a method says.

    TARGET: exposure wanted, −1 … 1, NaN = no opinion: orders and position stay as they are. STOP: price of the protective stop of
    the position that TARGET asks for (of the held one where that is NaN), NaN = as it was, 0 = none. LIMIT: price of
    the order towards TARGET, NaN = as the configuration says.
    """

    TARGET: int = 0
    STOP: int = 1
    LIMIT: int = 2


Held = HeldLayout()
Answer = AnswerLayout()


@dataclass(frozen=True)
class TradeMethod(Generic[P]):
    """A registered method.

    name: what a trade configuration calls it; parameters: the struct of what can be set, each field with a default;
    pack: parameters → float64 params; columns: parameters → the columns of the analysis that it reads, as
    `interval.NAME.line.field`, or `NAME.line.field` (the same: `decision.NAME.line.field`) of the decision interval;
    memory: numbers that it remembers; description: one sentence for a form; version: hash of the file's contents.
    every_minute: whether it decides at every minute, on the provisional values of the open decision bar, and not at closes alone.
    """

    name: str
    parameters: type[P]
    columns: Callable[[P], tuple[str, ...]]
    decide: Decide
    pack: Callable[[P], Floats]
    memory: int = 0
    description: str = ""
    version: str = ""
    every_minute: bool = False

    def read(self, raw: dict[str, Any], path: str = "") -> P:
        """The parameters that plain data describe. Raises Invalid, or Problems with everything that is wrong."""
        complain(mistakes(raw, self.parameters, path))
        return msgspec.convert(raw, self.parameters)

    def numbers(self, parameters: P) -> Floats:
        """What `decide` gets of them. Raises Invalid."""
        packed = self.pack(parameters)
        if not isinstance(packed, np.ndarray) or packed.dtype != np.float64 or packed.ndim != 1:
            raise Invalid(f"pack of {self.name}", packed, "a one-dimensional float64 array")
        if len(packed) > MOST_PARAMETERS:
            raise Invalid(f"pack of {self.name}", len(packed), f"at most {MOST_PARAMETERS} numbers")
        return packed

    def names(self, parameters: P) -> tuple[str, ...]:
        """Its columns, checked for their form. Raises Invalid."""
        names = tuple(self.columns(parameters))
        if len(names) > MOST_COLUMNS:
            raise Invalid(f"columns of {self.name}", len(names), f"at most {MOST_COLUMNS} columns")
        for name in names:
            resolved(name, Interval.M1)
        return names


def resolved(name: str, decision: Interval) -> str:
    """The full name of a column. Raises Invalid for what cannot be one."""
    parts = name.split(".") if isinstance(name, str) else []
    if len(parts) == 3:
        parts = [DECISION, *parts]
    intervals = [DECISION, *(interval.value for interval in Interval)]
    if len(parts) != 4 or parts[0] not in intervals or not parts[2].isdecimal() or not all(parts):
        raise Invalid("column", name, 'a name like "EMA.1.value" or "4h.EMA.1.value"')
    return ".".join([decision.value if parts[0] == DECISION else parts[0], *parts[1:]])
