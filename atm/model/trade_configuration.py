"""Trade configurations: how an analysis becomes a target position (spec: trading §2–4; docs/trade-control.md)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import msgspec

from atm.model.errors import Invalid

MOST_ROWS = 20
"""Rows of one table of a trade scenario."""

_PERCENT = {"unit": "%"}


def _about(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1, extra=_PERCENT)]
Gain = Annotated[float, msgspec.Meta(gt=0, le=1, extra=_PERCENT)]
Least = Annotated[float, msgspec.Meta(ge=0, extra=_PERCENT)]
Width = Annotated[float, msgspec.Meta(ge=0, le=100)]
Shift = Annotated[float, msgspec.Meta(ge=-1, le=1)]
Sigma = Annotated[float, msgspec.Meta(ge=0.0001, le=1)]
StopDistance = Annotated[float, msgspec.Meta(gt=0, lt=1, extra=_PERCENT)]
Band = Annotated[
    float,
    msgspec.Meta(
        ge=0, le=1, description="no order for a change below this share of the allocated balance", extra=_PERCENT
    ),
]


class Direction(Enum):
    """Sides that may be opened."""

    LONG = "LONG"
    SHORT = "SHORT"
    BOTH = "BOTH"


class Sense(Enum):
    """Reading of a cycle: with it (trend) or against it (contrarian). Spec: trading T6, analysis D30."""

    TREND = "trend"
    CONTRARIAN = "contrarian"


class Span(Enum):
    """Where a trade cycle of RQPM ends: at the next flip, or at the next flip of the same kind (one direction only)."""

    REGIME = "regime"
    ROUND = "round"


class ProfitReference(Enum):
    """Price that `exit_on_profitable` is measured from: the one at which the cycle began, or the entry price."""

    PIVOT = "pivot"
    ENTRY = "entry"


class MacdLine(Enum):
    SHORT = "SHORT"
    LONG = "LONG"


class RotationalGaussian1(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="function", tag="ROTATIONALGAUSSIAN1"
):
    """ROTATIONALGAUSSIAN1 (trading §3.6, with its denominators bounded from below)."""

    theta: Fraction = 0.5
    alpha: Width = 0.5
    beta0: Width = 0.5
    beta1: Width = 0.5
    gamma: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1


class RotationalGaussian1D(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="function", tag="ROTATIONALGAUSSIAN1D"
):
    """The parametrisation behind the ancestor's documentation: angle 2πθ, denominators α and β themselves (§3.6)."""

    theta: Fraction = 0.5
    alpha: Width = 0.5
    beta0: Width = 0.5
    beta1: Width = 0.5
    gamma: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1


class RotationalGaussian2(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="function", tag="ROTATIONALGAUSSIAN2"
):
    """ROTATIONALGAUSSIAN2: all four inputs, rotated, shifted by delta, scaled by sigma (§3.6)."""

    theta: tuple[Fraction, Fraction, Fraction] = (0.5, 0.5, 0.5)
    delta: tuple[Shift, Shift, Shift, Shift] = (0.0, 0.0, 0.0, 0.0)
    sigma: tuple[Sigma, Sigma, Sigma, Sigma] = (0.0001, 0.0001, 0.0001, 0.0001)


RemainingQuantityMap = RotationalGaussian1 | RotationalGaussian1D | RotationalGaussian2


class RemainingQuantity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="RQPM"):
    """RQPM: a map of cycle age, price deviations and signal strength says how much of the balance stays invested (§3.2).

    exit_on_impulse / exit_on_aligned / exit_on_profitable (EOI, EOA, EOP): tests a reduction must pass, None = off;
    regrow: lets the remaining quantity grow again inside one cycle.
    """

    sense: Annotated[Sense, _about("whether a cycle is followed (trend) or traded against (contrarian)")] = Sense.TREND
    span: Annotated[Span, _about("a cycle ends at the next flip, or at the next flip of the same kind")] = Span.REGIME
    regrow: Annotated[bool, _about("the remaining quantity may grow again inside one cycle")] = False
    exit_on_impulse: Annotated[
        Share | None, _about("reduce only when the signal has moved with the position by this or more")
    ] = None
    exit_on_aligned: Annotated[
        Least | None, _about("reduce only when the bar has moved with the position by this or more")
    ] = None
    exit_on_profitable: Annotated[Least | None, _about("reduce only with a gain of this or more")] = None
    profit_reference: Annotated[ProfitReference, _about("price from which that gain is counted")] = (
        ProfitReference.PIVOT
    )
    rebalance_band: Band = 0.0
    long: RemainingQuantityMap = RotationalGaussian1()
    short: RemainingQuantityMap = RotationalGaussian1()


class ScenarioRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """deviation (PD): distance from the pivot price; target (QD): share of the allocated balance to be invested then."""

    deviation: Annotated[Share, _about("distance of the price from the one at which the cycle began")]
    target: Annotated[Share, _about("share of the allocated balance to be invested then")]


class WeightReduce(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """activation: gain from the entry price; amount: share of the allocated balance that is kept."""

    activation: Annotated[Gain, _about("gain from the entry price")]
    amount: Annotated[Share, _about("share of the allocated balance that is kept")]


class ReachAndFall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After a gain of `reach` from the entry price, a fall back to `fall` closes everything."""

    reach: Annotated[Gain, _about("gain from the entry price that arms the fall")]
    fall: Annotated[Share, _about("falling back to this gain closes everything")]


Rows = Annotated[tuple[ScenarioRow, ...], msgspec.Meta(max_length=MOST_ROWS)]


def _rows(*pairs: tuple[float, float]) -> tuple[ScenarioRow, ...]:
    return tuple(ScenarioRow(deviation, target) for deviation, target in pairs)


class TradeScenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="TS"):
    """TS: three tables say what to hold as the price departs from the one at which the cycle began (§4.3).

    entry, partial_stop_loss: rows on the adverse side; exit: rows on the favourable side; reenter: entry rows stay open
    after a reduction; join: a cycle that is under way when the position starts may be entered.
    """

    sense: Annotated[Sense, _about("whether a cycle is followed (trend) or traded against (contrarian)")] = Sense.TREND
    entry: Annotated[Rows, msgspec.Meta(min_length=1)] = _rows(
        (0, 0.2), (0.01, 0.4), (0.02, 0.6), (0.03, 0.8), (0.04, 1)
    )
    exit: Rows = _rows((0.01, 0.8), (0.02, 0.6), (0.03, 0.4), (0.04, 0.2), (0.05, 0))
    partial_stop_loss: Rows = _rows((0.01, 0.8), (0.02, 0.6), (0.03, 0.4), (0.04, 0.2), (0.05, 0))
    weight_reduce: WeightReduce | None = None
    reach_and_fall: ReachAndFall | None = None
    reenter: Annotated[bool, _about("rows of the entry table stay open after a reduction")] = False
    join: Annotated[bool, _about("a cycle that is under way when the position starts may be entered")] = False


class MmacdDefault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="function", tag="MMACDDEFAULT"):
    """Exposure grows with the MMACD up to its peak; fallen below `downhill` of that peak, it only shrinks (§3.8)."""

    line: MacdLine = MacdLine.SHORT
    alpha: Annotated[float, msgspec.Meta(ge=0.0001, le=5)] = 1.0
    beta: Annotated[float, msgspec.Meta(ge=1, le=10)] = 1.0
    delta: Shift = 0.0
    strength_short: Fraction = 1.0
    strength_long: Fraction = 1.0
    downhill: Fraction = 0.8


class MmacdLongDefault(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="function", tag="MMACDLONGDEFAULT"
):
    """Full exposure at the crossing of the MMACD, thinning out as the signal grows; never grows within a side (§3.6)."""

    line: MacdLine = MacdLine.LONG
    alpha: Annotated[float, msgspec.Meta(ge=0.0001, le=5)] = 1.0
    beta: Annotated[float, msgspec.Meta(ge=1, le=10)] = 1.0
    delta: Shift = 0.0
    strength_short: Fraction = 1.0
    strength_long: Fraction = 1.0


class SwingSide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """delta: deviation from the swing at which exposure is full; length: further deviation over which it thins out to 0."""

    delta: Shift = 0.0
    strength: Fraction = 1.0
    length: Fraction = 1.0


class SwingDefault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="function", tag="SPDDEFAULT"):
    """Short after a confirmed swing high, long after a swing low, thinning out as the move extends (§3.8)."""

    long: SwingSide = SwingSide()
    short: SwingSide = SwingSide()


ExposureFunction = MmacdDefault | MmacdLongDefault | SwingDefault


class TargetExposure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="TEF"):
    """TEF: a function of the analysis gives side and exposure at every close of a decision bar (§3.7)."""

    function: ExposureFunction = SwingDefault()
    rebalance_band: Band = 0.0


Offset = Annotated[float, msgspec.Meta(ge=0, le=0.5, extra=_PERCENT)]
Lifetime = Annotated[int, msgspec.Meta(ge=1, le=10_080, description="minutes that the order rests")]


class MarketOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="MARKET"):
    """Filled at the next price, as taker."""


class LimitOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="LIMIT"):
    """Rests `offset` better than the close of the decision; after `minutes` it lapses, or becomes a market order.

    A closing order always becomes one: what is to be closed is not left open.
    """

    offset: Offset = 0.001
    minutes: Lifetime = 15
    then_market: bool = False


class StopOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="STOP"):
    """Becomes a market order when the price has gone on by `offset` from the decision's close; lapses after `minutes`."""

    offset: Offset = 0.001
    minutes: Lifetime = 15


class UserMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="USER"):
    """A method of a user's file (docs/plugins.md), by its name, with its own parameters; those left out have their defaults."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    parameters: dict[str, Any] = {}
    rebalance_band: Band = 0.0


class TradeConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trade-control method with its stops. Fractions are fractions, never percent.

    full_stop_loss_immediate: distance from the entry price at which the position is closed at once, None = off;
    full_stop_loss_close: the same, judged by the close of the decision bar (closing beyond it);
    post_stop_reentry: whether the same cycle may be entered again after a stop;
    entry_order, exit_order: how the orders of a decision go to the market; stops and TS always by market orders.
    """

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    leverage: Annotated[int, msgspec.Meta(ge=1, le=125, description="leverage; the first bracket must allow it")] = 1
    isolated: Annotated[bool, _about("isolated margin; off: cross margin")] = True
    direction: Annotated[Direction, _about("sides that may be opened")] = Direction.BOTH
    full_stop_loss_immediate: Annotated[
        StopDistance | None, _about("loss from the entry price at which everything is closed at once")
    ] = None
    full_stop_loss_close: Annotated[
        StopDistance | None, _about("the same, judged by the close of the decision bar")
    ] = None
    post_stop_reentry: Annotated[bool, _about("the same cycle may be entered again after a stop")] = False
    entry_order: MarketOrder | LimitOrder | StopOrder = MarketOrder()
    exit_order: MarketOrder | LimitOrder = MarketOrder()
    method: RemainingQuantity | TradeScenario | TargetExposure | UserMethod = RemainingQuantity()


def expanded_trade(raw: Any) -> Any:
    """A trade configuration as it stands in a file or in the database, the short form of RQPM written out.

    In the short form, the only one of earlier versions, the fields of RQPM stand beside `code`. A map without `function` is
    ROTATIONALGAUSSIAN1. Anything else is returned as it is.
    """
    if not isinstance(raw, dict):
        return raw
    if "method" not in raw:
        own = {name for name in RemainingQuantity.__struct_fields__ if name in raw}
        outer = {name: value for name, value in raw.items() if name not in own}
        raw = {**outer, "method": {"type": "RQPM", **{name: raw[name] for name in own}}}
    method = raw["method"]
    if isinstance(method, dict) and method.get("type") == "RQPM":
        maps = {side: _named(method[side]) for side in ("long", "short") if side in method}
        raw = {**raw, "method": {**method, **maps}}
    return raw


def _named(function: Any) -> Any:
    return {"function": "ROTATIONALGAUSSIAN1", **function} if isinstance(function, dict) else function


class Mismatch(Invalid):
    """A field that does not fit another. reason: which rule is broken, a word that a window has a sentence for; limit: the
    fraction that the rule compares with, None without one."""

    def __init__(self, field: str, value: object, allowed: str, reason: str, limit: float | None = None) -> None:
        super().__init__(field, value, allowed)
        self.reason = reason
        self.limit = limit

    def __reduce__(self) -> tuple[type[Mismatch], tuple[str, object, str, str, float | None]]:  # type: ignore[override]
        return Mismatch, (self.field, self.value, self.allowed, self.reason, self.limit)


def mismatches(configuration: TradeConfiguration) -> list[Mismatch]:
    """Everything in a configuration, each field within its bounds, that does not fit the rest of it."""
    found: list[Mismatch] = []
    immediate, close = configuration.full_stop_loss_immediate, configuration.full_stop_loss_close
    if immediate is not None and close is not None and close >= immediate:
        allowed = f"less than full_stop_loss_immediate ({immediate}), or it could never act"
        found.append(Mismatch("full_stop_loss_close", close, allowed, "stop_close", immediate))
    method = configuration.method
    if (
        isinstance(method, RemainingQuantity)
        and method.span is Span.ROUND
        and configuration.direction is Direction.BOTH
    ):
        allowed = "regime, or round with direction LONG or SHORT: rounds of the two sides overlap"
        found.append(Mismatch("method.span", method.span.value, allowed, "span"))
    if isinstance(method, TradeScenario):
        for name in ("entry_order", "exit_order"):
            if not isinstance(getattr(configuration, name), MarketOrder):
                kind = getattr(configuration, name).__struct_config__.tag
                allowed = "MARKET: a trade scenario acts at the prices of its tables"
                found.append(Mismatch(f"{name}.type", kind, allowed, "market_order"))
        found += _table("entry", method.entry, 1) + _table("exit", method.exit, -1)
        found += _table("partial_stop_loss", method.partial_stop_loss, -1)
        for name, rows in (("exit", method.exit), ("partial_stop_loss", method.partial_stop_loss)):
            if rows and rows[0].deviation == 0:
                allowed = "more than 0: a cycle begins at deviation 0"
                found.append(Mismatch(f"method.{name}[0].deviation", 0.0, allowed, "first_deviation"))
        falling = method.reach_and_fall
        if falling is not None and falling.fall >= falling.reach:
            allowed = f"less than reach ({falling.reach})"
            found.append(Mismatch("method.reach_and_fall.fall", falling.fall, allowed, "fall", falling.reach))
    return found


def _table(name: str, rows: tuple[ScenarioRow, ...], sign: int) -> list[Mismatch]:
    found: list[Mismatch] = []
    for i in range(1, len(rows)):
        before, row = rows[i - 1], rows[i]
        if row.deviation <= before.deviation:
            allowed = f"more than that of the row before ({before.deviation})"
            found.append(Mismatch(f"method.{name}[{i}].deviation", row.deviation, allowed, "more", before.deviation))
        if sign * (row.target - before.target) <= 0:
            reason = "more" if sign > 0 else "less"
            allowed = f"{reason} than that of the row before ({before.target})"
            found.append(Mismatch(f"method.{name}[{i}].target", row.target, allowed, reason, before.target))
    return found


def cautions(configuration: TradeConfiguration) -> list[str]:
    """What is allowed but probably not meant, in plain sentences."""
    method = configuration.method
    if not isinstance(method, TradeScenario) or not method.partial_stop_loss:
        return []
    first, last = method.partial_stop_loss[0].deviation, method.entry[-1].deviation
    if first > last:
        return []
    return [
        f"{configuration.code}: the first partial stop loss ({first:.4g}) is not beyond the last entry ({last:.4g}): "
        "entries below the first one that reduces are not reached"
    ]
