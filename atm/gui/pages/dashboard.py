"""Dashboard: is everything well, what is owned, what runs, what to do next."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.notifications import draw_notices
from atm.gui.pages.simulation_table import status_color
from atm.gui.read_model import AccountView, ReadModel
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import PageName, Ui
from atm.model.account import PositionState
from atm.model.simulation import SimulationState, SimulationStatus

_Open = tuple[str, PositionState]

NARROW = 900.0
"""Below this width (unscaled) everything stands below one another."""


class DashboardPage:
    """See the module."""

    def __init__(self) -> None:
        self._positions: Table[_Open] | None = None
        self._language = ""
        self._rows: list[_Open] = []
        self._revision = -1

    def draw(self, ui: Ui) -> None:
        available = imgui.get_content_region_avail()
        if available.x < ui.px(NARROW):
            self._left(ui)
            self._right(ui)
            return
        right = max(ui.px(330), available.x * 0.29)
        imgui.begin_child("left", ImVec2(available.x - right - ui.px(14), 0))
        self._left(ui)
        imgui.end_child()
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("right", ImVec2(0, 0))
        self._right(ui)
        imgui.end_child()

    def _left(self, ui: Ui) -> None:
        self._figures(ui)
        self._accounts(ui)
        self._open_positions(ui)
        self._work(ui)

    def _right(self, ui: Ui) -> None:
        with widgets.card(ui, "start", 0, -1, ui.t("dashboard.get_started")):
            self._checklist(ui)
        height = max(ui.px(220), imgui.get_content_region_avail().y)
        with widgets.card(ui, "notices", 0, height, ui.t("notices.title")):
            draw_notices(ui, 12)

    # --- figures on top

    def _figures(self, ui: Ui) -> None:
        model = ui.model
        c = ui.colors
        connection = model.connection
        state = connection.state if connection is not None else "connecting"
        well = state == "connected"
        equity = sum(view.equity(asset) or 0.0 for view in model.accounts.values() for asset in view.setup.assets)
        today = sum(view.today(asset) or 0.0 for view in model.accounts.values() for asset in view.setup.assets)
        positions = self._open_rows(model)
        profit = sum(position.unrealized_profit for _, position in positions)
        running = sum(analysis.state == "running" for analysis in model.analyses.values())
        with widgets.card(ui, "figures", 0, -1):
            widgets.stats(
                ui,
                [
                    (ui.t("dashboard.connection"), ui.t(f"connection.{state}"), c.good if well else c.warning),
                    (ui.t("dashboard.equity"), formats.number(equity) if model.accounts else formats.UNKNOWN, None),
                    (ui.t("dashboard.today"), formats.number(today, sign=True), ui.signed(today)),
                    (ui.t("dashboard.unrealized"), formats.number(profit, sign=True), ui.signed(profit)),
                    (ui.t("dashboard.positions"), str(len(positions)), None),
                    (ui.t("dashboard.analyses"), f"{running} / {len(model.analyses)}", None),
                ],
                130,
            )

    def _open_rows(self, model: ReadModel) -> list[_Open]:
        if self._revision != model.revision:
            self._revision = model.revision
            self._rows = [
                (name, position)
                for name, view in model.accounts.items()
                for position in view.snapshot.positions
                if position.quantity
            ]
        return self._rows

    # --- accounts and positions

    def _accounts(self, ui: Ui) -> None:
        with widgets.card(ui, "accounts", 0, -1, ui.t("page.accounts")):
            if not ui.model.accounts:
                ui.wrapped(ui.t("dashboard.no_accounts"))
                if widgets.button(ui, "dashboard.make_account", ui.t("accounts.create"), "primary"):
                    ui.go(PageName.ACCOUNTS)
                return
            flags = imgui.TableFlags_.sizing_stretch_prop | imgui.TableFlags_.borders_inner_h
            if not imgui.begin_table("##accounts", 6, int(flags)):
                return
            for view in ui.model.accounts.values():
                self._account(ui, view)
            imgui.end_table()

    def _account(self, ui: Ui, view: AccountView) -> None:
        name = view.snapshot.name
        for asset in view.setup.assets:
            state = next((s for s in view.snapshot.assets if s.asset == asset), None)
            today = view.today(asset)
            equity = view.equity(asset)
            start = equity - today if equity is not None and today is not None else None
            imgui.table_next_row()
            imgui.table_next_column()
            if imgui.text_link(name):
                ui.go(PageName.ACCOUNTS, name)
            ui.mark(f"dashboard.account.{name}")
            imgui.table_next_column()
            widgets.badge(ui, ui.t(f"account_kind.{view.snapshot.kind.value}"), ui.colors.info)
            imgui.table_next_column()
            trading = view.snapshot.trading
            ui.text(ui.t("accounts.trading_on" if trading else "accounts.trading_off"),
                    ui.colors.good if trading else ui.colors.muted)  # fmt: skip
            imgui.table_next_column()
            ui.text(f"{formats.number(equity)} {asset}", bold=True)
            imgui.table_next_column()
            share = today / start if today is not None and start else None
            ui.text(f"{formats.number(today, sign=True)}  ({formats.percent(share, sign=True)})", ui.signed(today))
            widgets.tooltip(ui.t("dashboard.since", time=formats.moment(view.day_start_ms)))
            imgui.table_next_column()
            used = state.initial_margin / state.margin_balance if state and state.margin_balance else None
            ui.text(ui.t("dashboard.margin_used", share=formats.percent(used, 1)), ui.colors.muted)

    def _open_positions(self, ui: Ui) -> None:
        rows = self._open_rows(ui.model)
        table = self._positions_table(ui)
        visible = min(max(len(rows), 1), 6)
        height = ui.px(74) + (visible + 1) * imgui.get_frame_height_with_spacing() * 0.86
        with widgets.card(ui, "positions", 0, height, ui.t("dashboard.open_positions")):
            if not rows:
                ui.wrapped(ui.t("dashboard.no_positions"))
                return
            clicked = table.draw(ui, rows)
            if clicked:
                ui.go(PageName.ACCOUNTS, clicked.partition("/")[0])

    def _positions_table(self, ui: Ui) -> Table[_Open]:
        if self._positions is None or self._language != ui.t.language:
            self._language = ui.t.language
            t = ui.t

            def price(symbol: str, value: float | None) -> str:
                return formats.number(value, ui.model.price_decimals(symbol))

            def side(row: _Open) -> Color:
                return ui.colors.up if row[1].quantity > 0 else ui.colors.down

            self._positions = Table(
                "dashboard.positions",
                (
                    Column(t("field.symbol"), lambda r: r[1].symbol, lambda r: r[1].symbol, False, 1.2),
                    Column(t("field.account"), lambda r: r[0], lambda r: r[0], False, 1.1),
                    Column(
                        t("field.quantity"),
                        lambda r: formats.quantity(r[1].quantity, ui.model.quantity_decimals(r[1].symbol)),
                        lambda r: r[1].quantity,
                        color=side,
                    ),
                    Column(t("field.entry_price"), lambda r: price(r[1].symbol, r[1].entry_price),
                           lambda r: r[1].entry_price or 0.0),
                    Column(t("field.mark_price"), lambda r: price(r[1].symbol, r[1].mark_price),
                           lambda r: r[1].mark_price or 0.0),
                    Column(
                        t("field.unrealized"),
                        lambda r: formats.number(r[1].unrealized_profit, sign=True),
                        lambda r: r[1].unrealized_profit,
                        color=lambda r: ui.signed(r[1].unrealized_profit),
                    ),
                    Column(t("field.liquidation_price"), lambda r: price(r[1].symbol, r[1].liquidation_price),
                           lambda r: r[1].liquidation_price or 0.0),
                ),
                key=lambda r: f"{r[0]}/{r[1].symbol}",
            )  # fmt: skip
        return self._positions

    # --- running work

    def _work(self, ui: Ui) -> None:
        width = (imgui.get_content_region_avail().x - ui.px(14)) / 2
        height = max(ui.px(220), imgui.get_content_region_avail().y)
        with widgets.card(ui, "analyses", width, height, ui.t("dashboard.running_analyses")):
            if not ui.model.analyses:
                ui.wrapped(ui.t("dashboard.no_analyses"))
            tone = {"running": ui.colors.good, "failed": ui.colors.bad}
            for analysis in ui.model.analyses.values():
                ui.text(icons.CIRCLE, tone.get(analysis.state, ui.colors.warning))
                imgui.same_line()
                ui.text(analysis.analysis)
                imgui.same_line()
                ui.text(
                    f"{ui.t(f'analysis.{analysis.state}')}  {formats.number(analysis.update_us, 0)} µs", ui.colors.muted
                )
                widgets.tooltip(
                    analysis.error or ui.t("dashboard.last_row", time=formats.moment(analysis.last_close_time))
                )
            for load in ui.model.analyzers.values():
                count, minute = str(len(load.analyses)), formats.number(load.minute_us, 0)
                ui.text(ui.t("dashboard.analyzer_load", name=load.analyzer, count=count, time=minute), ui.colors.muted)
        imgui.same_line(0, ui.px(14))
        with widgets.card(ui, "simulations", 0, height, ui.t("dashboard.simulations")):
            self._simulations(ui)

    def _simulations(self, ui: Ui) -> None:
        states = sorted(ui.model.simulations.values(), key=_newest_running_first)[:8]
        if not states:
            ui.wrapped(ui.t("dashboard.no_simulations"))
            if widgets.button(ui, "dashboard.make_simulation", ui.t("page.simulation")):
                ui.go(PageName.SIMULATION)
        for state in states:
            done = state.status is SimulationStatus.COMPLETED
            if imgui.text_link(state.code):
                ui.go(PageName.RESULT if done else PageName.SIMULATION, state.code)
            imgui.same_line()
            ui.text(ui.t(f"simulation_status.{state.status.value}"), status_color(ui, state.status))
            imgui.same_line()
            if state.summary is not None:
                ui.text(formats.number(state.summary.net_profit, sign=True), ui.signed(state.summary.net_profit))
            elif state.status is SimulationStatus.RUNNING:
                imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(7))
                widgets.meter(ui, state.progress, ui.colors.accent, ui.px(90))
            else:
                imgui.new_line()

    # --- get started

    def _checklist(self, ui: Ui) -> None:
        model = ui.model
        connected = model.connection is not None and model.connection.state == "connected"
        steps = (
            ("connected", connected, PageName.DASHBOARD),
            ("history", bool(model.coverage), PageName.DATABASE),
            ("configurations", bool(model.analysis_configurations and model.trade_configurations), PageName.AUTO_TRADE),
            ("simulation", bool(model.completed_simulations()), PageName.SIMULATION),
            ("account", bool(model.accounts), PageName.ACCOUNTS),
            ("trading", any(view.snapshot.trading for view in model.accounts.values()), PageName.ACCOUNTS),
        )
        for key, done, page in steps:
            ui.text(icons.SUCCESS if done else icons.CIRCLE, ui.colors.good if done else ui.colors.border)
            imgui.same_line()
            if done or page is PageName.DASHBOARD:
                ui.text(ui.t(f"start.{key}"), ui.colors.muted if done else ui.colors.text)
            elif imgui.text_link(ui.t(f"start.{key}")):
                ui.go(page)
            ui.mark(f"start.{key}")


def _newest_running_first(state: SimulationState) -> tuple[bool, int]:
    return (state.status is not SimulationStatus.RUNNING, -state.created_ms)
