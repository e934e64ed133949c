"""The short form of the recorded week (benchmarks/week.py): live decides as the backtest does, and a killed manager changes nothing."""

from __future__ import annotations

import msgspec
import pytest

from atm.model.account import TradeRecord
from benchmarks import week

MINUTES = 100


pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[week.Result, week.Played]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atm.managers.examined.apart", lambda work: work())
        patch.setattr("atm.analyzers.installed._users", None)
        return [week.measure(MINUTES, kill_after, tmp_path_factory.mktemp("week")) for kill_after in (0, MINUTES // 2)]


def test_no_decision_differs_and_every_fill_is_explained(results: list[tuple[week.Result, week.Played]]) -> None:
    for result, _ in results:
        assert result.failures == []
        assert sum(day.decisions for day in result.days) > 10
        assert sum(day.differing for day in result.days) == 0
        assert result.fills > 3
        assert result.beyond == []
        assert result.unexplained < 1e-8


def test_a_manager_that_is_killed_half_way_trades_as_one_that_is_not(
    results: list[tuple[week.Result, week.Played]],
) -> None:
    (_, whole), (_, killed) = results
    for name, fills in whole.trades.items():
        assert _orders(fills) == _orders(killed.trades[name])
        # each message is on its way for another time, so another book is met
        assert [each.quantity_after for each in fills[-1:]] == pytest.approx(
            [each.quantity_after for each in killed.trades[name][-1:]], rel=1e-3
        )


def _orders(fills: list[TradeRecord]) -> set[tuple[int, str, str]]:
    return {(each.decision_ms, each.side.value, each.reason.value) for each in fills}


def test_a_fill_that_the_book_does_not_have_is_seen(results: list[tuple[week.Result, week.Played]]) -> None:
    _, played = results[0]
    (fills,) = [fills for name, fills in played.trades.items() if name == "method"]
    market = played.exchange.markets[fills[0].symbol]
    assert week._beyond(fills, market) == []
    dearer = [msgspec.structs.replace(fills[0], price=fills[0].price + 0.1), *fills[1:]]
    assert len(week._beyond(dearer, market)) == 1
    late = [msgspec.structs.replace(each, decision_ms=each.decision_ms - 60_000) for each in fills]
    assert any("after its decision" in text for text in week._beyond(late, market))
