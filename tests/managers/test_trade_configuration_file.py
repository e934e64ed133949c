"""Trade configurations as files: what was written is read back, and everything that is wrong in a file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.managers.trade_configuration_file import read_trade, write_trade
from atm.model.errors import Invalid, Problems
from atm.model.trade_configuration import (
    Direction,
    MmacdDefault,
    RemainingQuantity,
    RotationalGaussian2,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
    WeightReduce,
)

CONFIGURATIONS = (
    TradeConfiguration("plain"),
    TradeConfiguration('한글 "1"', 3, False, Direction.SHORT, 0.08, 0.025, True, method=TargetExposure(MmacdDefault())),
    TradeConfiguration("table", method=TradeScenario(exit=(), weight_reduce=WeightReduce(0.1, 0.5), join=True)),
    TradeConfiguration("maps", method=RemainingQuantity(exit_on_aligned=0.01, short=RotationalGaussian2())),
)


@pytest.mark.parametrize("ending", [".toml", ".json"])
@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda each: each.code)
def test_what_is_written_is_read_back(configuration: TradeConfiguration, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"file{ending}"
    write_trade(configuration, file)
    assert read_trade(file) == configuration


def test_the_short_form_of_earlier_files_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text('code = "old"\nsense = "trend"\nlong = { theta = 0.4 }\n')
    method = read_trade(file).method
    assert isinstance(method, RemainingQuantity) and method.long.theta == 0.4


def test_everything_that_is_wrong_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('code = "x"\nleverage = 500\n[method]\ntype = "TS"\nentry = [{ deviation = 2, target = 0.1 }]\n')
    with pytest.raises(Problems, match="leverage") as caught:
        read_trade(file)
    assert {each.field for each in caught.value.found} == {"leverage", "method.entry[0].deviation"}
    with pytest.raises(Invalid, match=r"\.toml or \.json"):
        write_trade(CONFIGURATIONS[0], tmp_path / "x.yaml")
