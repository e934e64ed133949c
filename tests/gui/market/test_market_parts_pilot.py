"""List of symbols, favourites, order book and liquidations of the Market page, by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from imgui_bundle import imgui

from atm.gui.market.book_panel import is_behind, is_old
from atm.gui.market.symbol_list import lines_of
from atm.gui.pages.market import MarketPage
from atm.gui.read_model import ReadModel
from atm.gui.ui import PageName
from atm.ipc.messages import (
    BINANCE_API,
    DayTicker,
    DayTickers,
    Done,
    FollowBooks,
    Instruments,
    Liquidation,
    LookAtMarket,
    OpenInterest,
    Reply,
    Request,
    WholeBook,
)
from tests.gui.filled import MARKET_MS, SYMBOLS, filled_model, instrument
from tests.gui.pilot import Pilot, bare_context

TICKERS = DayTickers(
    (
        DayTicker("AVAXUSDT", 10.0, 0.02, 11.0, 9.0, 1e6, 1e7),
        DayTicker("FILUSDT", 3.0, -0.01, 3.5, 2.5, 1e6, 3e6),
        DayTicker("NEARUSDT", 1.0, 0.05, 1.5, 0.5, 1e6, 1e6),
        DayTicker("OLDUSDT", 0.5, 0.0, 0.5, 0.5, 0.0, 0.0),
    )
)


class Exchange:
    def __init__(self) -> None:
        self.asked: list[Request] = []

    def __call__(self, to: str, request: Request, on_reply: Callable[[Reply], None], _timeout: float) -> None:
        assert to == BINANCE_API or not isinstance(request, FollowBooks | LookAtMarket)
        if isinstance(request, FollowBooks | LookAtMarket):
            self.asked.append(request)
        on_reply(Done())

    def followed(self) -> list[tuple[str, ...]]:
        return [request.symbols for request in self.asked if isinstance(request, FollowBooks)]


@pytest.fixture
def exchange(pilot: Pilot) -> Exchange:
    made = Exchange()
    pilot.ui.ask = made
    listed = [instrument(symbol) for symbol in SYMBOLS]
    old = msgspec.structs.replace(instrument("OLDUSDT"), status="SETTLING")
    pilot.ui.model.apply(Instruments((*listed, old)))
    pilot.ui.model.apply(TICKERS)
    pilot.preferences.symbol = "AVAXUSDT"
    pilot.show(PageName.MARKET)
    return made


def names(model: ReadModel, favourites: tuple[str, ...] = (), filter_: str = "all", query: str = "") -> list[str]:
    return [line.symbol for line in lines_of(model, favourites, filter_, query)]


def test_the_list_finds_filters_and_puts_favourites_first(pilot: Pilot, exchange: Exchange) -> None:
    model = pilot.ui.model
    assert names(model) == [*SYMBOLS, "OLDUSDT"]
    assert names(model, ("NEARUSDT",)) == ["NEARUSDT", "AVAXUSDT", "FILUSDT", "OLDUSDT"]
    assert names(model, ("NEARUSDT",), "favourites") == ["NEARUSDT"]
    assert names(model, filter_="halted") == ["OLDUSDT"]
    assert names(model, filter_="trading") == list(SYMBOLS)
    assert names(model, filter_="stored") == list(SYMBOLS)
    assert names(model, query="fil") == ["FILUSDT"]


def test_a_click_in_the_list_shows_the_symbol_and_a_head_sorts(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("market.symbols.row.FILUSDT")
    assert pilot.preferences.symbol == "FILUSDT"
    page = pilot.shell.pages[PageName.MARKET]
    assert isinstance(page, MarketPage) and page.symbols._table is not None
    pilot.click("market.symbols.head.2")
    changes = [TICKERS.tickers[i].change for i in (1, 3, 0, 2)]
    by_name = {ticker.symbol: ticker.change for ticker in TICKERS.tickers}
    assert [by_name[name] for name in page.symbols._table.shown(page.symbols._lines)] == changes


def test_the_star_keeps_a_favourite_and_the_list_can_be_put_away(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("market.star")
    assert pilot.preferences.market.favourites == ("AVAXUSDT",)
    pilot.click("market.star")
    assert pilot.preferences.market.favourites == ()
    pilot.click("market.list")
    assert not pilot.sees("market.list.search") and not pilot.preferences.market.list_open
    assert pilot.stored_preferences >= 3


def test_the_picker_is_called_by_its_keys_and_shows_favourites_first(pilot: Pilot, exchange: Exchange) -> None:
    pilot.preferences.market.favourites = ("OLDUSDT",)
    pilot.key(imgui.Key.k, ctrl=True)
    pilot.frames(2)
    tops = {name: pilot.probe[f"market.symbol.{name}"][1] for name in (*SYMBOLS, "OLDUSDT")}
    assert min(tops, key=lambda name: tops[name]) == "OLDUSDT"
    pilot.click("market.symbol.NEARUSDT")
    assert pilot.preferences.symbol == "NEARUSDT"


def test_before_anything_has_come_all_cards_lie_inside_the_window(newcomer: Pilot) -> None:
    newcomer.show(PageName.MARKET)
    assert newcomer.sees("market.freshness")
    for mark in ("market.whole_book", "market.tape.liquidations", "market.list.filter"):
        assert newcomer.probe[mark][2] < 1_600
    side = newcomer.probe["market.tape.trades"]
    newcomer.ui.model = filled_model()
    newcomer.frames(3)
    assert newcomer.probe["market.tape.trades"][0] == side[0]


def test_a_narrow_window_gives_the_room_to_the_chart() -> None:
    with bare_context():
        pilot = Pilot(filled_model(), size=(1280, 720))
        pilot.show(PageName.MARKET)
        assert not pilot.sees("market.list.search")


def test_statistics_are_asked_for_while_the_page_is_shown(pilot: Pilot, exchange: Exchange) -> None:
    asked = [request for request in exchange.asked if isinstance(request, LookAtMarket)]
    assert asked == [LookAtMarket("AVAXUSDT")]
    pilot.ui.now_ms += 30_000
    pilot.frames(3)
    assert len([request for request in exchange.asked if isinstance(request, LookAtMarket)]) == 2
    pilot.show(PageName.SETTINGS)
    pilot.ui.now_ms += 60_000
    pilot.frames(3)
    assert len([request for request in exchange.asked if isinstance(request, LookAtMarket)]) == 2


def test_the_whole_book_is_followed_while_it_is_wanted_and_shown(pilot: Pilot, exchange: Exchange) -> None:
    assert exchange.followed() == []
    pilot.click("market.whole_book")
    assert exchange.followed() == [("AVAXUSDT",)]
    pilot.ui.now_ms += 20_000
    pilot.frames(2)
    assert exchange.followed() == [("AVAXUSDT",)] * 2
    pilot.click("market.symbols.row.FILUSDT")
    assert exchange.followed()[-1] == ("FILUSDT",)
    pilot.show(PageName.DASHBOARD)
    assert exchange.followed()[-1] == ()
    pilot.ui.model.apply(WholeBook("FILUSDT", MARKET_MS, 1, False, 0, ((3.0, 5.0),), ((3.1, 5.0),)))
    pilot.show(PageName.MARKET)
    assert exchange.followed()[-1] == ("FILUSDT",)


def test_a_whole_book_is_behind_once_the_best_levels_go_on_to_other_prices_without_it(pilot: Pilot) -> None:
    model = pilot.ui.model
    best, speed = model.books["FILUSDT"], model.demo.state.speed if model.demo is not None else 1.0
    for age_s, price, behind in ((3.0, 9.0, False), (3.1, 9.0, True), (59.0, best.bids[0][0], False)):
        bids = ((price, best.bids[0][1]),)
        whole = WholeBook("FILUSDT", best.time_ms - int(age_s * 1_000 * speed), 1, True, 0, bids, best.asks)
        assert is_behind(model, whole) is behind, (age_s, price)
    assert is_behind(model, msgspec.structs.replace(whole, is_synchronised=False))


def test_a_book_that_stands_still_while_the_mark_goes_on_is_old_at_the_speed_of_the_market(pilot: Pilot) -> None:
    model = pilot.ui.model
    mark_ms, speed = model.marks["AVAXUSDT"].time_ms, model.demo.state.speed if model.demo is not None else 1.0
    assert not is_old(model, "AVAXUSDT", mark_ms - int(60_000 * speed), 60.0)
    assert is_old(model, "AVAXUSDT", mark_ms - int(60_000 * speed) - 1, 60.0)
    assert not is_old(model, "UNKNOWN", 0, 60.0)


def test_the_height_of_a_row_is_kept(pilot: Pilot, exchange: Exchange) -> None:
    pilot.choose("market.book_step", "100")
    assert pilot.preferences.market.book_step == 100


def test_liquidations_open_interest_and_an_old_connection_are_shown(pilot: Pilot, exchange: Exchange) -> None:
    model = pilot.ui.model
    for number in range(100):
        model.apply(Liquidation("FILUSDT", MARKET_MS + number, "SELL", 3.0, 5.0))
    model.apply(OpenInterest("AVAXUSDT", 1e6, MARKET_MS))
    assert len(model.liquidations) == 60 and model.liquidations[0].time_ms == MARKET_MS + 99
    pilot.click("market.tape.liquidations")
    assert not pilot.sees("market.freshness")
    assert model.connection is not None
    model.connection = msgspec.structs.replace(model.connection, state="disconnected", reason="cable")
    pilot.frames(2)
    assert pilot.sees("market.freshness")
