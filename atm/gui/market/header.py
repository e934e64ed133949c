"""The row of figures of a symbol, and the line that says why they are not fresh."""

from __future__ import annotations

from imgui_bundle import imgui

from atm.gui import formats, icons, widgets
from atm.gui.durations import duration
from atm.gui.market.freshness import Freshness
from atm.gui.market_feed import Day
from atm.gui.theme import Color
from atm.gui.ui import Ui

Figure = tuple[str, str, Color | None]


def draw_price(ui: Ui, symbol: str, day: Day | None, fresh: Freshness) -> None:
    """The last price, in the colour of the day; muted when it is old."""
    tone = ui.signed(day.change if day is not None else None)
    text = formats.number(ui.model.last_price(symbol), ui.model.price_decimals(symbol))
    ui.text(text, tone if fresh.is_live else ui.colors.muted, size=ui.theme.FIGURE, bold=True)


def figures(ui: Ui, symbol: str, day: Day | None) -> list[Figure]:
    """What is known of it; open interest only where the exchange tells it."""
    t, model = ui.t, ui.model
    decimals, mark, unknown = model.price_decimals(symbol), model.marks.get(symbol), formats.UNKNOWN
    ticker, interest = model.tickers.get(symbol), model.open_interest.get(symbol)
    funding = formats.percent(mark.funding_rate, 4, sign=True) if mark else unknown
    left = formats.countdown(mark.next_funding_ms - model.market_ms(ui.now_ms)) if mark else ""
    found: list[Figure] = [
        (
            t("market.change"),
            formats.percent(day.change if day else None, sign=True),
            ui.signed(day.change if day else None),
        ),
        (t("market.mark"), formats.number(mark.mark_price if mark else None, decimals), None),
        (t("market.index"), formats.number(mark.index_price if mark else None, decimals), None),
        (t("market.funding"), f"{funding}  {left}".rstrip(), None),
        (t("market.high"), formats.number(day.high if day else None, decimals), None),
        (t("market.low"), formats.number(day.low if day else None, decimals), None),
        (t("market.volume"), formats.compact(day.volume if day else None), None),
        (t("market.turnover"), formats.compact(ticker.quote_volume if ticker else None), None),
    ]
    if interest is not None:
        found.append((t("market.open_interest"), formats.compact(interest.quantity), None))
    return found


def draw_figures(ui: Ui, shown: list[Figure]) -> None:
    """Beside each other as far as there is room; the others in the tooltip of the last one."""
    right = imgui.get_window_pos().x + imgui.get_window_width() - imgui.get_style().window_padding.x
    left_out: list[Figure] = []
    for label, value, color in shown:
        imgui.same_line(0, ui.px(26))
        width = max(imgui.calc_text_size(value).x * 1.15, imgui.calc_text_size(label).x)
        if left_out or imgui.get_cursor_screen_pos().x + width > right:
            left_out.append((label, value, color))
            continue
        widgets.stat(ui, label, value, color)
    if left_out:
        ui.text("…", ui.colors.muted, bold=True)
        widgets.tooltip("\n".join(f"{label}  {value}" for label, value, _ in left_out))


def draw_freshness(ui: Ui, fresh: Freshness) -> None:
    """One line where there is something to say."""
    if fresh.state == "live":
        return
    t = ui.t
    said = t(f"fresh.{fresh.state}")
    if fresh.last_ms and fresh.state != "held":
        said += "  " + t("fresh.age", last=formats.moment(fresh.last_ms, seconds=True), age=duration(ui.t, fresh.age_s))
    if fresh.reason:
        said += f"  ({fresh.reason})"
    color = ui.colors.bad if fresh.state in ("disconnected", "banned", "restarting") else ui.colors.warning
    ui.text(f"{icons.WARNING}  {said}", color, size=ui.theme.SMALL)
    ui.mark("market.freshness")
