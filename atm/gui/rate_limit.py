"""The rate budget in the status bar: what is used of each limit, what waits, and what the exchange imposes."""

from __future__ import annotations

from imgui_bundle import imgui

from atm.gui import formats, widgets
from atm.gui.ui import Ui
from atm.ipc.messages import ConnectionState

REQUEST_CLASSES = ("orders", "account", "repair", "history", "housekeeping")
"""Of `ConnectionState.waiting`, first served first."""
HIGH, VERY_HIGH = 0.7, 0.9


def draw_rate_limit(ui: Ui) -> None:
    """Draw into the present line."""
    connection, c = ui.model.connection, ui.colors
    if connection is None:
        return
    imgui.begin_group()
    ui.text(ui.t("status.weight"), c.muted)
    imgui.same_line()
    _meter(ui, connection)
    imgui.same_line()
    ui.text(f"{connection.used_weight:,} / {connection.weight_limit:,}", c.muted)
    if connection.order_limit_10s:
        imgui.same_line(0, ui.px(16))
        ten, minute = (
            f"{used:,} / {limit:,}"
            for used, limit in (
                (connection.used_orders_10s, connection.order_limit_10s),
                (connection.used_orders, connection.order_limit),
            )
        )
        ui.text(f"{ui.t('status.orders')} {ten} · {minute}", c.muted)
    if waiting := sum(connection.waiting.values()):
        imgui.same_line(0, ui.px(16))
        ui.text(ui.t("status.waiting", count=f"{waiting:,}"), c.warning)
        ui.mark("rate_limit.waiting")
    if connection.restraint:
        imgui.same_line(0, ui.px(16))
        seconds = formats.number(connection.restraint_s, 0)
        ui.text(ui.t(f"status.{connection.restraint}", seconds=seconds), c.bad)
        ui.mark(f"rate_limit.{connection.restraint}")
    imgui.end_group()
    ui.mark("rate_limit")
    if imgui.is_item_hovered():
        widgets.tooltip("\n".join(_detail(ui, connection)))
    imgui.same_line(0, ui.px(26))


def _meter(ui: Ui, connection: ConnectionState) -> None:
    """The used share of the minute's weight."""
    c = ui.colors
    share = connection.used_weight / connection.weight_limit if connection.weight_limit else 0.0
    tone = c.bad if share > VERY_HIGH else c.warning if share > HIGH else c.accent
    y = imgui.get_cursor_pos_y()
    imgui.set_cursor_pos_y(y + imgui.get_text_line_height() / 2 - ui.px(2))
    widgets.meter(ui, share, tone, ui.px(84), 5)
    imgui.same_line()
    imgui.set_cursor_pos_y(y)


def _detail(ui: Ui, connection: ConnectionState) -> list[str]:
    """Every limit, and what waits by class."""
    used = f"{connection.used_weight:,}"
    lines = [ui.t("status.weight_detail", used=used, limit=f"{connection.weight_limit:,}")]
    lines.append(
        ui.t(
            "status.orders_detail",
            used_10s=f"{connection.used_orders_10s:,}",
            limit_10s=f"{connection.order_limit_10s:,}",
            used=f"{connection.used_orders:,}",
            limit=f"{connection.order_limit:,}",
        )
    )
    for kind in REQUEST_CLASSES:
        count = f"{connection.waiting.get(kind, 0):,}"
        lines.append(ui.t("status.waiting_detail", kind=ui.t(f"request.{kind}"), count=count))
    return lines
