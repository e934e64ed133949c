"""Bad configurations and set-ups are named by field, value and what is allowed; presets are good ones."""

from __future__ import annotations

import msgspec
import pytest

from atm.managers.presets import demo_presets
from atm.managers.trade_accounts import AccountState, make_engine
from atm.managers.trade_setups import (
    Configurations,
    check_account,
    check_analysis,
    check_change,
    checked,
    uses,
)
from atm.model.account import AccountKind, AccountSetup, AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MovingAverageLine, MultiMACD
from atm.model.errors import Invalid, Refused
from atm.model.trade_configuration import TradeConfiguration
from atm.trading.method_choice import check_trade
from tests.managers.trade_harness import ACCOUNT, instrument


def replace(value: msgspec.Struct, **changes: object) -> msgspec.Struct:
    return msgspec.structs.replace(value, **changes)


@pytest.mark.parametrize(
    ("value", "field", "shown"),
    [
        (
            AnalysisConfiguration.of_one("A", sma=(MovingAverageLine(20), MovingAverageLine(1))),
            "intervals[0].sma[1].window",
            "1",
        ),
        (AnalysisConfiguration.of_one(""), "code", "''"),
        (TradeConfiguration("T", leverage=500), "leverage", "500"),
        (CostModel(taker_fee=0.5), "taker_fee", "0.5"),
    ],
)
def test_bounds_name_the_field(value: msgspec.Struct, field: str, shown: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(value)
    assert refused.value.field == field and shown in str(refused.value)


def test_parameters_that_do_not_fit_each_other() -> None:
    pip = ClassicalSignal(enter_threshold=0.1, leave_threshold=0.3)
    with pytest.raises(Invalid, match=r"leave_threshold.*0\.1"):
        check_analysis(AnalysisConfiguration.of_one("A", mmacd_short=MultiMACD(), pip=pip))
    with pytest.raises(Invalid, match=r"full_stop_loss_close.*0\.02"):
        check_trade(TradeConfiguration("T", full_stop_loss_immediate=0.02, full_stop_loss_close=0.02))
    with pytest.raises(Invalid, match=r"assets\.USDT\.initial_balance.*the exchange's"):
        check_account(AccountSetup("a", AccountKind.ACTUAL, {"USDT": AssetSetup(1.0)}))
    assert check_account(AccountSetup("a", AccountKind.ACTUAL, {"USDT": AssetSetup(0.0)})).kind is AccountKind.ACTUAL
    with pytest.raises(Invalid, match="assets"):
        check_account(AccountSetup("a"))


def test_what_may_change_of_an_account() -> None:
    first, second = ACCOUNT.positions
    check_change(ACCOUNT, replace(ACCOUNT, positions=(first,)), {first.symbol})  # type: ignore[arg-type]
    with pytest.raises(Refused, match=second.symbol):
        check_change(ACCOUNT, replace(ACCOUNT, positions=(first,)), {second.symbol})  # type: ignore[arg-type]
    with pytest.raises(Refused, match="costs"):
        check_change(ACCOUNT, replace(ACCOUNT, costs=CostModel(slippage=0.001)), {first.symbol})  # type: ignore[arg-type]
    check_change(ACCOUNT, replace(ACCOUNT, assets={"USDT": AssetSetup(10_000.0, 0.1)}), {first.symbol})  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="initial_balance"):
        check_change(ACCOUNT, replace(ACCOUNT, assets={}), set())  # type: ignore[arg-type]
    assert uses("trade", "T", [ACCOUNT]) == [("paper", first.symbol), ("paper", second.symbol)]


def test_presets_can_be_traded_with_any_subset_of_symbols() -> None:
    presets = demo_presets(("FILUSDT",))
    assert [position.symbol for position in presets.account.positions] == ["FILUSDT"]
    presets = demo_presets(())
    configurations = Configurations({c.code: c for c in presets.analysis}, {c.code: c for c in presets.trade})
    for analysis in presets.analysis:
        check_analysis(analysis)
    for trade in presets.trade:
        check_trade(trade)
    instruments = {symbol: instrument(symbol) for symbol in ("FILUSDT", "NEARUSDT", "AVAXUSDT")}
    engine = make_engine(check_account(presets.account), configurations, instruments)
    assert engine.symbols == ("FILUSDT", "NEARUSDT", "AVAXUSDT")


def test_a_foreign_state_is_refused() -> None:
    state = AccountState(ACCOUNT, b"engine")
    assert AccountState.parse(state.dump()) == state
    with pytest.raises(Invalid, match="account state"):
        AccountState.parse(b"no state")


def test_position_setup_bounds() -> None:
    with pytest.raises(Invalid, match="assumed_ratio"):
        checked(PositionSetup("AAAUSDT", "A", "T", assumed_ratio=1.5))
