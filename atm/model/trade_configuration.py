"""Trade configurations: how an analysis becomes a target position (spec: trading §2, §3)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Direction(Enum):
    """Sides that may be opened."""

    LONG = "LONG"
    SHORT = "SHORT"
    BOTH = "BOTH"


class Sense(Enum):
    """Reading of a cycle: with it (trend) or against it (contrarian). Spec: trading T6, analysis D30."""

    TREND = "trend"
    CONTRARIAN = "contrarian"


class RotationalGaussian1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ROTATIONALGAUSSIAN1 (trading §3.6, with its denominators bounded from below)."""

    theta: Fraction = 0.5
    alpha: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.5
    beta0: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.5
    beta1: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.5
    gamma: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1


class TradeConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """RQPM trade control with its stops. Fractions are fractions, never percent.

    full_stop_loss_immediate: distance from the entry price at which the position is closed at once, None = off;
    full_stop_loss_close: the same, judged by the close of the decision bar (closing beyond it);
    exit_on_impulse / exit_on_aligned / exit_on_profitable: tests an exit must pass (trading §3.5 step 4), None = off;
    post_stop_reentry: whether the same cycle may be entered again after a stop;
    regrow: lets the remaining quantity grow again inside one cycle.
    """

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    leverage: Annotated[int, msgspec.Meta(ge=1, le=125, description="leverage; the first bracket must allow it")] = 1
    isolated: bool = True
    direction: Direction = Direction.BOTH
    sense: Sense = Sense.TREND
    full_stop_loss_immediate: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    full_stop_loss_close: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    post_stop_reentry: bool = False
    regrow: bool = False
    exit_on_impulse: Fraction | None = None
    exit_on_aligned: Annotated[float, msgspec.Meta(ge=0)] | None = None
    exit_on_profitable: Annotated[float, msgspec.Meta(ge=0)] | None = None
    rebalance_band: Annotated[
        float,
        msgspec.Meta(ge=0, le=1, description="no order for a change below this share of the allocated balance"),
    ] = 0.0
    long: RotationalGaussian1 = RotationalGaussian1()
    short: RotationalGaussian1 = RotationalGaussian1()
