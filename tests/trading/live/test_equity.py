"""The equity of a live account, and what transfers do to the marks that its losses are measured from."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.account_facts import PositionSeen, SettingsSeen, Snapshot, WalletSeen
from atm.model.journal import EquityMarked, LiveState, Target, Transferred
from atm.model.live_request import Answer, PlaceOrder, TakeSnapshot
from atm.model.risk import LiveSetup, RiskLimits, SymbolSetup
from atm.trading.live import transfers
from tests.trading.live.test_live_account import Bench, X

D = Decimal
OTHER = "OTHERUSDT"
SETUP = LiveSetup({X: SymbolSetup(3, isolated=True)}, RiskLimits(daily_loss=0.05, drawdown=0.05), stop_distance=None)


def wallet(bench: Bench, balance: str, why: str = "", change: str = "0", asset: str = "USDT") -> None:
    bench.now_ms += 1_000
    seen = WalletSeen(asset, D(balance), bench.now_ms, why, D(change))
    bench.do(bench.account.learned([seen], bench.now_ms))


def compared(bench: Bench, *positions: PositionSeen) -> None:
    """Answer the newest snapshot."""
    number, request = [each for each in bench.asked if isinstance(each[1], TakeSnapshot)][-1]
    taken = Snapshot(
        bench.now_ms, bench.now_ms, (), positions, (WalletSeen("USDT", D(10_000), bench.now_ms),),
        (SettingsSeen(X, 3, True),), (), request.trades_of,
    )  # fmt: skip
    bench.do(bench.account.answered(Answer(number, bench.now_ms, snapshot=taken), bench.now_ms))


def opened(bench: Bench) -> bool:
    """Whether a decision leads to an order now."""
    bench.wait(1_000)
    bench.do(bench.account.aim(Target(X, D(10), bench.now_ms), bench.now_ms))
    return any(isinstance(request, PlaceOrder) for _, request in bench.asked)


def marks(bench: Bench) -> tuple[float, float]:
    marked = bench.account.state.equity
    assert marked is not None
    return marked.day_equity, marked.peak_equity


def test_equity_is_not_known_while_a_position_has_no_price_and_nothing_is_opened_then() -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    held = PositionSeen(OTHER, D(100), D(3), bench.now_ms)
    compared(bench, held)
    assert (bench.account.equity, bench.account.unpriced) == (0.0, (OTHER,))
    assert bench.account.state.equity is None, "nothing is marked that is not known"
    assert "notice.live_equity_unknown" in bench.notices
    assert not opened(bench)
    assert not bench.account.halts(bench.now_ms), "limits stay as they are"
    bench.wait(60_000)
    bench.do(bench.account.tick(bench.now_ms))
    compared(bench, PositionSeen(OTHER, D(100), D(3), bench.now_ms, mark=D("2.5")))
    assert bench.account.equity == 9_950.0
    assert marks(bench) == (9_950.0, 9_950.0)
    bench.wait(31_000)
    assert opened(bench)


def test_a_position_keeps_the_mark_price_of_the_comparison_when_the_stream_tells_none() -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench, PositionSeen(OTHER, D(100), D(3), bench.now_ms, mark=D("2.5")))
    bench.do(bench.account.learned([PositionSeen(OTHER, D(200), D(3), bench.now_ms + 1)], bench.now_ms + 1))
    assert bench.account.equity == 9_900.0


def test_a_wallet_that_a_comparison_does_not_list_is_empty_unless_something_newer_was_told_of_it() -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench)
    wallet(bench, "7", asset="BNB")
    bench.wait(60_000)
    bench.do(bench.account.tick(bench.now_ms))
    wallet(bench, "9", asset="USDC")
    compared(bench)
    assert bench.account.wallets == {"USDT": D(10_000), "BNB": D(0), "USDC": D(9)}


@pytest.mark.parametrize(("why", "change", "balance"), [("WITHDRAW", "-4000", "6000"), ("DEPOSIT", "5000", "15000")])
def test_what_is_paid_in_or_out_is_neither_loss_nor_gain(why: str, change: str, balance: str) -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench)
    wallet(bench, balance, why, change)
    assert marks(bench) == (float(balance), float(balance))
    if why == "DEPOSIT":
        wallet(bench, "10000", "WITHDRAW", "-5000")
        assert marks(bench) == (10_000.0, 10_000.0), "a peak made of money paid in would have been a loss of a third"
    assert opened(bench)
    assert not bench.account.halts(bench.now_ms)


def test_a_loss_after_a_transfer_is_measured_from_what_is_left() -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench)
    wallet(bench, "2000", "WITHDRAW", "-8000")
    wallet(bench, "1890", "ORDER")
    assert not opened(bench)
    (halt,) = bench.account.halts(bench.now_ms)
    assert halt.reason.startswith("daily_loss: 0.055")


def test_a_fee_wallet_is_no_equity_and_its_transfers_move_nothing() -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench)
    wallet(bench, "3", "DEPOSIT", "3", "BNB")
    assert (bench.account.equity, marks(bench)) == (10_000.0, (10_000.0, 10_000.0))


def test_income_that_tells_what_the_stream_has_told_moves_nothing_more() -> None:
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench)
    wallet(bench, "11000", "DEPOSIT", "1000")
    cut = bench.now_ms // 1000 * 1000
    told = Transferred("USDT", D("1000.00000000"), cut, 77)
    for _ in range(2):
        bench.do(bench.account.transferred([told], bench.now_ms))
    assert marks(bench) == (11_000.0, 11_000.0)
    bench.do(bench.account.transferred([Transferred("USDT", D(-500), bench.now_ms + 1, 78)], bench.now_ms))
    assert marks(bench) == (10_500.0, 10_500.0)


def test_a_transfer_that_is_told_late_is_not_added_to_a_peak_that_had_it_already() -> None:
    """The stream was cut: the wallet was seen with the money in it before anybody told of the transfer."""
    bench = Bench(SETUP)
    bench.wait(100)
    compared(bench)
    paid_ms = bench.now_ms + 500
    wallet(bench, "11000")
    bench.do(bench.account.transferred([Transferred("USDT", D(1000), paid_ms, 5)], bench.now_ms))
    assert marks(bench) == (11_000.0, 11_000.0), "the day's start did not have it, the peak had"


Step = tuple[int, str]


@given(
    amounts=st.lists(st.sampled_from([100, -100, 250, -40]), min_size=1, max_size=6),
    order=st.data(),
)
def test_every_transfer_counts_once_in_whatever_order_both_sources_tell_it(
    amounts: list[int], order: st.DataObject
) -> None:
    tellings = [(place, source) for place in range(len(amounts)) for source in ("stream", "income", "stream", "income")]
    state = LiveState(equity=EquityMarked(0, 10_000.0, 10_000.0, 0))
    for place, source in order.draw(st.permutations(tellings)):
        time_ms = 1_000_300 + place * 1_700
        if source == "stream":
            told = Transferred("USDT", D(amounts[place]), time_ms, is_heard=True)
        else:
            told = Transferred("USDT", D(amounts[place]), time_ms // 1_000 * 1_000, place + 1)
        if transfers.is_news(state, told):
            transfers.take(state, told)
    assert state.equity is not None
    assert state.equity.peak_equity == 10_000 + sum(amounts)
