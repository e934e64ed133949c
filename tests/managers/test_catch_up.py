"""When what an actual account wants is kept until it has caught up."""

from collections.abc import Iterable
from types import SimpleNamespace

from atm.managers.catch_up import PATIENCE_S, CatchUp
from atm.managers.trade import TradeManager
from atm.model.interval import HOUR_MS, MINUTE_MS

NOW = 20_000 * 24 * HOUR_MS


def test_what_was_decided_in_missed_minutes_is_kept_until_the_newest_is_reached() -> None:
    catch_up = CatchUp(lambda: 0.0)
    kept = [catch_up.holds_back("a", NOW - behind * MINUTE_MS, NOW) for behind in (120, 60, 6, 5, 1, 0)]
    assert kept == [True, True, True, False, False, False]


def test_an_account_that_does_not_arrive_is_traded_as_it_is_and_each_delay_counts_by_itself() -> None:
    seconds = 0.0
    catch_up = CatchUp(lambda: seconds)
    late, up_to_date = NOW - HOUR_MS, NOW - MINUTE_MS
    assert catch_up.holds_back("a", late, NOW)
    seconds = PATIENCE_S - 1.0
    assert catch_up.holds_back("a", late, NOW) and catch_up.holds_back("b", late, NOW)
    seconds = PATIENCE_S
    assert not catch_up.holds_back("a", late, NOW) and catch_up.holds_back("b", late, NOW)
    assert not catch_up.holds_back("a", up_to_date, NOW)
    assert catch_up.holds_back("a", late, NOW), "another delay"


def test_the_trade_manager_tells_the_exchange_the_newest_wish_once_the_account_has_arrived() -> None:
    told: list[tuple[str, ...]] = []

    class Live:
        now_ms = NOW

        def aim(self, _: str, targets: Iterable[str]) -> bool:
            told.append(tuple(targets))
            return True

    manager = SimpleNamespace(book=SimpleNamespace(live=Live()), _catch_up=CatchUp(lambda: 0.0))
    account = SimpleNamespace(market_ms=NOW - HOUR_MS, targets={"X": "buy"})
    account.committed = account.targets.clear
    TradeManager._aim(manager, "a", account)  # type: ignore[arg-type]
    assert told == [] and account.targets == {"X": "buy"}, "kept, so that a crash makes it again"
    account.market_ms, account.targets["X"] = NOW - MINUTE_MS, "sell"
    TradeManager._aim(manager, "a", account)  # type: ignore[arg-type]
    assert told == [("sell",)] and account.targets == {}
