"""The table of positions of a simulation, its search, and the bulk editor of the selected rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.simulation_draft import Change, SimulationDraft
from atm.gui.simulation_plan import PositionPlan
from atm.gui.table import Column, Table
from atm.gui.ui import Ui

KINDS = ("symbol", "analysis", "trade")
KEEP, NONE = "", "-"
"""Values of a choice in the bulk editor: leave it, take it away. No configuration has the second for a code of its own."""
MARK = "simulation.positions"
MOST_NAMED = 8
INNER_WIDTH = 1180.0


class PositionsTable:
    """See the module. `draw` edits no draft; it hands over what the user wants to be changed."""

    def __init__(self, mark: str = MARK) -> None:
        self.mark = mark
        self.query, self.kind, self.tradable = "", KINDS[0], False
        self._analysis, self._trade, self._ratio, self._priority, self._cap = KEEP, KEEP, "", "", ""
        self._language = ""
        self._table: Table[PositionPlan] | None = None
        self._rows: list[PositionPlan] = []
        self._wanted: tuple[Mapping[str, PositionPlan], str, str, bool] | None = None

    @property
    def marked(self) -> set[str]:
        return self._table.marked if self._table is not None else set()

    def draw(self, ui: Ui, plans: Mapping[str, PositionPlan], height: float, *, searched: bool = True) -> None:
        """The table, with its search above unless there is nothing to search in. height on the screen."""
        if self._table is None or self._language != ui.t.language:
            marked = self.marked
            self._table, self._language = _table(ui, self.mark), ui.t.language
            self._table.marked = marked
        self._table.marked &= plans.keys()
        if searched:
            self._search(ui)
        wanted = (plans, self.query, self.kind, self.tradable)
        if self._wanted is None or self._wanted[0] is not plans or self._wanted[1:] != wanted[1:]:
            self._wanted = wanted
            self._rows = [each for each in plans.values() if self._matches(each)]
        if searched:
            self._count(ui, len(self._rows), len(plans))
        if not self._rows:
            ui.wrapped(ui.t("simulation.no_rows" if plans else "simulation.no_symbols"))
        self._table.draw(ui, self._rows, height)

    def edit(self, ui: Ui, draft: SimulationDraft, errors: Mapping[str, str]) -> Change | None:
        """The bulk editor; what to change in the selected rows when the user says so."""
        chosen = sorted(self.marked & draft.rows.keys())
        self._chosen(ui, chosen)
        for place, error in errors.items():
            if place.startswith("positions."):
                widgets.field_note(ui, f"{place.split('.')[1]}: {error}")
        none = ui.t("simulation.choose_rows") if not chosen else ""
        width = (imgui.get_content_region_avail().x - 5 * ui.px(8) - ui.px(84)) / 5
        t, place = ui.t, f"{self.mark}.edit"
        extra = [(KEEP, t("simulation.keep")), (NONE, t("simulation.none"))]
        imgui.begin_disabled(bool(none))
        analyses = [*extra, *((code, code) for code in ui.model.analysis_configurations)]
        self._analysis = widgets.choice(
            ui, f"{place}.analysis", t("field.analysis"), self._analysis, analyses, width=width
        )
        imgui.same_line(0, ui.px(8))
        trades = [*extra, *((code, code) for code in ui.model.trade_configurations)]
        self._trade = widgets.choice(ui, f"{place}.trade", t("field.trade"), self._trade, trades, width=width)
        imgui.same_line(0, ui.px(8))
        keep = t("simulation.keep")
        self._ratio = widgets.text_field(
            ui, f"{place}.ratio", t("field.assumed_ratio"), self._ratio, width=width, unit="%", hint=keep
        )
        imgui.same_line(0, ui.px(8))
        imgui.begin_disabled(len(chosen) != 1)
        self._priority = widgets.text_field(
            ui, f"{place}.priority", t("field.priority"), self._priority, width=width, hint=keep
        )
        imgui.end_disabled()
        if len(chosen) != 1:
            widgets.tooltip(t("simulation.one_priority"))
        imgui.same_line(0, ui.px(8))
        self._cap = widgets.text_field(
            ui, f"{place}.cap", t("field.max_allocated"), self._cap, width=width, hint=f"{keep} ({NONE} = ∞)"
        )
        imgui.end_disabled()
        imgui.same_line(0, ui.px(8))
        return self._apply(ui, none)

    def _apply(self, ui: Ui, none: str) -> Change | None:
        imgui.begin_group()
        widgets.label_above(ui, " ")
        priority, asked = self._priority.strip(), [self._analysis, self._trade, self._ratio, self._cap, self._priority]
        why = none or ("" if any(asked) else ui.t("simulation.nothing_to_apply"))
        if priority and not (priority.isdigit() and int(priority) >= 1):
            why = why or ui.t("simulation.wrong_priority")
        pressed = widgets.button(
            ui, f"{self.mark}.apply", ui.t("action.apply"), "primary", why_not=why, width=ui.px(80)
        )
        imgui.end_group()
        if not pressed:
            return None
        change = Change(
            _wanted(self._analysis), _wanted(self._trade), self._ratio.strip() or None, _wanted(self._cap.strip()),
            int(priority) if priority else None,
        )  # fmt: skip
        self._analysis, self._trade, self._ratio, self._priority, self._cap = KEEP, KEEP, "", "", ""
        return change

    # --- search and selection

    def _search(self, ui: Ui) -> None:
        imgui.set_next_item_width(ui.px(190))
        hint = f"{icons.SEARCH}  {ui.t('action.search')}"
        _, self.query = imgui.input_text_with_hint(f"##{self.mark}.search", hint, self.query)
        ui.mark(f"{self.mark}.search")
        imgui.same_line(0, ui.px(8))
        options = [(kind, ui.t(f"field.{kind}")) for kind in KINDS]
        self.kind = widgets.choice(ui, f"{self.mark}.kind", "", self.kind, options, width=ui.px(150))
        imgui.same_line(0, ui.px(10))
        self.tradable = widgets.toggle(ui, f"{self.mark}.tradable", ui.t("simulation.only_tradable"), self.tradable)

    def _matches(self, plan: PositionPlan) -> bool:
        text = {"symbol": plan.row.symbol, "analysis": plan.row.analysis, "trade": plan.row.trade}[self.kind]
        return self.query.strip().casefold() in text.casefold() and (plan.tradable or not self.tradable)

    def _count(self, ui: Ui, shown: int, whole: int) -> None:
        imgui.same_line(0, ui.px(14))
        ui.text(ui.t("simulation.shown", shown=shown, whole=whole), ui.colors.muted, size=ui.theme.SMALL)
        imgui.same_line(0, ui.px(10))
        if widgets.button(ui, f"{self.mark}.all", ui.t("simulation.select_all")) and self._table is not None:
            self._table.marked = {each.row.symbol for each in self._rows}
        imgui.same_line(0, ui.px(6))
        why = "" if self.marked else ui.t("simulation.choose_rows")
        if (
            widgets.button(ui, f"{self.mark}.release", ui.t("simulation.release"), why_not=why)
            and self._table is not None
        ):
            self._table.marked = set()

    def _chosen(self, ui: Ui, chosen: Sequence[str]) -> None:
        more = f" (+{len(chosen) - MOST_NAMED})" if len(chosen) > MOST_NAMED else ""
        text = ui.t("simulation.chosen", count=len(chosen), symbols=", ".join(chosen[:MOST_NAMED]) + more)
        ui.text(text if chosen else ui.t("simulation.choose_rows"), ui.colors.muted, size=ui.theme.SMALL)


def _wanted(typed: str) -> str | None:
    return None if typed == KEEP else "" if typed == NONE else typed


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _table(ui: Ui, mark: str) -> Table[PositionPlan]:
    t = ui.t

    def state(plan: PositionPlan) -> str:
        if plan.reason:
            return t(plan.reason)
        if plan.missing:
            return t("simulation.partly", share=formats.percent(plan.missing / max(1, plan.minutes), 1))
        return t("simulation.tradable")

    def tone(plan: PositionPlan) -> tuple[float, float, float, float] | None:
        c = ui.colors
        if plan.reason:
            return c.warning if plan.row.configured else c.faint
        return c.warning if plan.missing else c.good

    def margin(plan: PositionPlan) -> str:
        if not plan.row.trade:
            return formats.UNKNOWN
        return f"{plan.leverage}× {t('simulation.isolated' if plan.isolated else 'simulation.cross')}"

    def stored(plan: PositionPlan) -> str:
        if plan.stored is None:
            return formats.UNKNOWN
        return f"{formats.moment(plan.stored.start_ms)[:10]} – {formats.moment(plan.stored.end_ms)[:10]}"

    columns: tuple[Column[PositionPlan], ...] = (
        Column(t("field.symbol"), lambda p: p.row.symbol, lambda p: p.row.symbol, False, 1.05),
        Column(
            t("field.tradable"), state, lambda p: (p.reason or f" {p.missing:012d}"), False, 1.5, tone
        ),
        Column(t("field.analysis"), lambda p: p.row.analysis or formats.UNKNOWN, lambda p: p.row.analysis, False, 1.1),
        Column(t("field.trade"), lambda p: p.row.trade or formats.UNKNOWN, lambda p: p.row.trade, False, 1.4),
        Column(t("field.margin_mode"), margin, lambda p: p.leverage, False, 0.9),
        Column(t("field.priority"), lambda p: str(p.row.priority), lambda p: p.row.priority, True, 0.6),
        Column(t("field.assumed_short"), lambda p: p.row.ratio, lambda p: p.ratio, True, 0.7),
        Column(t("field.weighted_short"), lambda p: formats.percent(p.weighted, 1), lambda p: p.weighted, True, 0.8),
        Column(t("field.allocated"), lambda p: formats.number(p.allocated), lambda p: _number(p.allocated), True, 0.9),
        Column(
            t("field.max_allocated"), lambda p: p.row.cap or "∞", lambda p: float("inf") if p.cap is None else p.cap, True,
            0.8,
        ),
        Column(t("field.stored"), stored, lambda p: 0 if p.stored is None else p.stored.start_ms, False, 1.7),
        Column(
            t("field.min_notional"), lambda p: formats.quantity(p.minimum_notional, 2),
            lambda p: _number(p.minimum_notional), True, 0.8,
        ),
    )  # fmt: skip
    return Table(mark, columns, key=lambda p: p.row.symbol, multi=True, inner_width=INNER_WIDTH)


def spacer(ui: Ui) -> None:
    """Room between the parts of the form."""
    imgui.dummy(ImVec2(0, ui.px(4)))
