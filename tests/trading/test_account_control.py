"""Balances are allocated when a position asks, in priority order (trading §6.5, §16 no. 9); figures of the specification."""

import msgspec
import pytest

from atm.model.account import AssetSetup, PositionSetup
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.trading.engine import AccountEngine
from tests.trading.scene import ANALYSIS, FREE, flip, instrument

WIDE = RotationalGaussian1(theta=0.5, alpha=100, beta0=100, beta1=100)
TRADE = TradeConfiguration("t", method=RemainingQuantity(long=WIDE, short=WIDE))
RATIOS = {"AUSDT": 0.6, "BUSDT": 0.5, "CUSDT": 0.3}


def account(*positions: PositionSetup, balance: float = 1_000.0, ratio: float = 1.0) -> AccountEngine:
    instruments = [
        msgspec.structs.replace(instrument(p.symbol), quote_asset="USDC" if p.symbol.endswith("USDC") else "USDT")
        for p in positions
    ]
    assets = {i.quote_asset: AssetSetup(balance, ratio) for i in instruments}
    return AccountEngine(assets, positions, [ANALYSIS], [TRADE], instruments, FREE)


def three(order: dict[str, int], **more: float) -> AccountEngine:
    return account(*(PositionSetup(s, "a", "t", a, order[s]) for s, a in RATIOS.items()), **more)


def enter(engine: AccountEngine, *symbols: str, minute: int = 0) -> dict[str, float]:
    """Long signals of these symbols at one close; what each position is allocated once they are filled."""
    for t, rows in ((minute, {f"{s}/a": flip(1, 100) for s in symbols}), (minute + 1, {})):
        bars = {s: Bar(t * MINUTE_MS, 100, 100, 100, 100, 1, 1, 1, 1, 1) for s in engine.symbols}
        engine.minute(t * MINUTE_MS, bars, rows)
    return {p.symbol: round(p.allocated_balance, 9) for p in engine.snapshot().positions}


IN_ORDER = {"AUSDT": 1, "BUSDT": 2, "CUSDT": 3}


def test_what_is_left_is_granted_in_priority_order() -> None:
    # A = 1,000 · 0.95; 0.6 A, then min(A − 570, 0.5 A), then nothing
    assert enter(three(IN_ORDER), "AUSDT", "BUSDT", "CUSDT") == {"AUSDT": 570, "BUSDT": 380, "CUSDT": 0}


def test_nothing_is_kept_for_who_does_not_ask() -> None:
    assert enter(three(IN_ORDER), "BUSDT", "CUSDT") == {"AUSDT": 0, "BUSDT": 475, "CUSDT": 285}


def test_another_priority_is_another_order() -> None:
    turned = three({"AUSDT": 3, "BUSDT": 2, "CUSDT": 1})
    assert enter(turned, "AUSDT", "BUSDT", "CUSDT") == {"CUSDT": 285, "BUSDT": 475, "AUSDT": 190}


def test_who_asked_first_keeps_what_he_got() -> None:
    engine = three(IN_ORDER)
    assert enter(engine, "CUSDT")["CUSDT"] == 285
    assert enter(engine, "AUSDT", "BUSDT", minute=15) == {"AUSDT": 570, "BUSDT": 95, "CUSDT": 285}


def test_the_allocation_ratio_and_the_cap_bound_it() -> None:
    assert enter(three(IN_ORDER, ratio=0.5), "AUSDT")["AUSDT"] == 285
    capped = account(PositionSetup("AUSDT", "a", "t", 0.6, 1, 100.0), PositionSetup("BUSDT", "a", "t", 1.0, 2))
    assert enter(capped, "AUSDT", "BUSDT") == {"AUSDT": 100, "BUSDT": 850}


def test_assets_do_not_share() -> None:
    both = account(PositionSetup("AUSDT", "a", "t", 1.0, 1), PositionSetup("BUSDC", "a", "t", 1.0, 2))
    assert enter(both, "AUSDT", "BUSDC") == {"AUSDT": 950, "BUSDC": 950}


def test_a_balance_of_nothing_and_a_ratio_of_nothing_trade_nothing() -> None:
    for engine in (three(IN_ORDER, balance=0.0), three(IN_ORDER, ratio=0.0)):
        assert set(enter(engine, "AUSDT", "BUSDT").values()) == {0.0}
        assert engine.trades() == []


def test_it_is_released_when_the_position_is_flat() -> None:
    engine = three(IN_ORDER)
    enter(engine, "AUSDT")
    engine.force_clear("AUSDT")
    assert enter(engine, "BUSDT", minute=15) == {"AUSDT": 0, "BUSDT": pytest.approx(475), "CUSDT": 0}
