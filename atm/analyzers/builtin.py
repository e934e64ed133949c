"""The indicators that come with the program, registered through the door that a user's file takes."""

from __future__ import annotations

import dataclasses

from atm.analyzers.bollinger import BOL
from atm.analyzers.contract import Registry
from atm.analyzers.external import FLOW, NNA
from atm.analyzers.mean_return import TPD
from atm.analyzers.moving_averages import EMA, SMA, VOL, WMA
from atm.analyzers.multi_macd import MMACDLONG, MMACDSHORT
from atm.analyzers.order_flow import NES, WOI
from atm.analyzers.oscillators import DMI_ADX, MFI
from atm.analyzers.pip import PIP
from atm.analyzers.turning_points import PSAR, SWING
from atm.analyzers.volume_profile import IVP
from atm.model.builtin_analyses import BUILT_IN


def built_in() -> Registry:
    """A registry with all built-in indicators, in the order of their evaluation (spec: analysis §2.1)."""
    registry = Registry()
    for indicator in (
        SMA, WMA, EMA, PSAR, BOL, VOL, IVP, MMACDSHORT, MMACDLONG, DMI_ADX, MFI,
        FLOW, WOI, NES, TPD, SWING, NNA, PIP,
    ):  # fmt: skip
        known = BUILT_IN.get(indicator.name)
        registry.register(dataclasses.replace(indicator, style=known.style if known else None))
    return registry
