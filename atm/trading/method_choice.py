"""From the `UserMethod` of a trade configuration to the method that it names, with its parameters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.analyzers import installed
from atm.model.errors import Invalid, complain
from atm.model.trade_configuration import TradeConfiguration, UserMethod, mismatches
from atm.model.trade_method import TradeMethod
from atm.model.validation import checked, mistakes
from atm.trading.method_call import compiled

Methods = Mapping[str, TradeMethod[Any]]


@dataclass(frozen=True)
class Chosen:
    """A method with parameters. numbers: float64 params; columns: as it names them; entry: its compiled form, which must live
    as long as `address` is in use."""

    method: TradeMethod[Any]
    numbers: NDArray[np.float64]
    columns: tuple[str, ...]
    entry: Any

    @property
    def address(self) -> float:
        """Of its machine code in this process; exact, as processes have addresses below 2⁴⁷."""
        return float(self.entry.address)


def choose(settings: UserMethod, methods: Methods | None = None) -> Chosen:
    """The method, of `methods` or else of those that are loaded. Raises Invalid, or Problems with everything that is wrong."""
    known = installed.registry().methods if methods is None else methods
    complain(problems(settings, known))
    method = known[settings.name]
    parameters = msgspec.convert(settings.parameters, method.parameters)
    return Chosen(method, method.numbers(parameters), method.names(parameters), compiled(method.decide))


def problems(settings: UserMethod, known: Methods) -> list[Invalid]:
    """Everything that is wrong: a name that nobody has registered, parameters outside of their bounds or that do not fit."""
    if settings.name not in known:
        near = difflib.get_close_matches(settings.name, known, 3, 0.4)
        hint = f" (did you mean {', '.join(near)}?)" if near else ""
        allowed = (", ".join(sorted(known)) or "nothing: no method is loaded") + hint
        return [Invalid("method.name", settings.name, allowed)]
    method = known[settings.name]
    found = mistakes(settings.parameters, method.parameters, "method.parameters")
    if found:
        return found
    try:
        parameters = msgspec.convert(settings.parameters, method.parameters)
        method.numbers(parameters)
        method.names(parameters)
    except Invalid as error:
        return [Invalid(f"method.parameters.{error.field}", error.value, error.allowed)]
    except Exception as error:  # noqa: BLE001  (a user's code may raise anything; to the asker these parameters do not fit)
        allowed = f"what its file accepts ({type(error).__name__}: {error})"
        return [Invalid("method.parameters", settings.parameters, allowed)]
    return []


def check_trade(settings: TradeConfiguration) -> TradeConfiguration:
    """Bounds, fields that must fit each other, and a user's method with its parameters.

    Raises Invalid, or Problems with everything that is wrong.
    """
    settings = checked(settings)
    found: list[Invalid] = list(mismatches(settings))
    if isinstance(settings.method, UserMethod):
        found += problems(settings.method, installed.registry().methods)
    complain(found)
    return settings
