"""The form of a new simulation: general, positions, assets, costs, and what it comes to before it is queued."""

from __future__ import annotations

from collections.abc import Mapping

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.drafts import common_range
from atm.gui.durations import duration
from atm.gui.form_fields import allowed, described, refusal
from atm.gui.pages.simulation_positions import PositionsTable, spacer
from atm.gui.simulation_draft import COSTS, Missing, SimulationDraft, settled_in
from atm.gui.simulation_plan import AssetPlan, Known, Plan, PositionPlan, plan
from atm.gui.struct_form import draw_tree
from atm.gui.ui import Ui
from atm.ipc.messages import SIMULATION, AddSimulation, Failed
from atm.model.interval import DAY_MS, format_time
from atm.model.simulation import SimulationSpec

ADD = "simulation.add"
RANGES = ("all", "7", "30", "90")
CONFIRM = "simulation.confirm_initialise"
MOST_STEPS = 20
MOST_NAMED = 4
_FOOT = 156.0
_ASSET_COLUMNS = ("allocatable", "assumed_short", "weighted_short", "allocated", "max_allocated")


class SimulationForm:
    """See the module. draft: kept while something else is shown; missing: configurations that a copied set-up lacks."""

    def __init__(self) -> None:
        self.draft = SimulationDraft()
        self.missing: list[Missing] = []
        self.positions = PositionsTable()
        self._before: list[tuple[str, SimulationDraft]] = []
        self._planned: tuple[object, SimulationDraft | None, Plan | None] = (None, None, None)
        self._sent_code = ""
        self._begun = False

    # --- what may be taken back

    def remember(self, what: str) -> None:
        """Keep the draft as it is, before a change of many fields. what: key of the text that names the change."""
        self._before.append((what, self.draft.copy()))
        del self._before[:-MOST_STEPS]

    def undo(self) -> None:
        _, self.draft = self._before.pop()
        self.missing = []

    def replicate(self, ui: Ui, spec: SimulationSpec) -> None:
        """Copy the set-up of a simulation into the draft."""
        self._begun = True
        self.remember("simulation.step_copied")
        model = ui.model
        self.missing = self.draft.replicate(spec, model.analysis_configurations, model.trade_configurations)
        if self.draft.code in model.simulations:
            self.draft.code = ""

    # --- drawing

    def draw(self, ui: Ui) -> None:
        self._follow(ui)
        now = self.plan(ui)
        failed = ui.commands.failure(ADD)
        errors = self._errors(ui, now, failed)
        foot = ui.px(_FOOT)
        with widgets.card(ui, "form", 0, max(ui.px(200), imgui.get_content_region_avail().y - foot - ui.px(8))):
            self._head(ui, now.configured)
            self._general(ui, errors)
            widgets.heading(ui, ui.t("simulation.positions"))
            left = imgui.get_content_region_avail().y
            self.positions.draw(ui, now.positions, max(ui.px(150), left - ui.px(330)))
            change = self.positions.edit(ui, self.draft, errors)
            if change is not None:
                self.remember("simulation.step_edited")
                self.draft.apply(self.positions.marked, change)
            spacer(ui)
            self._assets(ui, now, errors)
            self._costs(ui, errors)
        with widgets.card(ui, "preflight", 0, 0):
            self._foot(ui, now, errors, failed)

    def _follow(self, ui: Ui) -> None:
        """Rows for all symbols; on a first start a form that only needs to be sent."""
        model, draft = ui.model, self.draft
        symbols = sorted(set(model.coverage) | set(model.instruments))
        if len(symbols) != len(draft.rows) or not draft.rows.keys() >= set(symbols):
            assets = {}
            for symbol in symbols:
                instrument = model.instruments.get(symbol)
                assets[symbol] = settled_in(symbol, None if instrument is None else instrument.quote_asset)
            draft.follow(sorted(model.coverage), {name: assets[name] for name in model.coverage})
            draft.follow(symbols, assets)
        if not self._begun:
            draft.begin(model.analysis_configurations, model.trade_configurations, sorted(model.coverage))
            if draft.configured():
                self._begun = True
                self._preset(ui, "all")
        if ui.commands.succeeded(ADD) and draft.code.strip() == self._sent_code:
            draft.code = ""

    def plan(self, ui: Ui) -> Plan:
        """What the draft comes to; made anew when it or what is known has changed."""
        model = ui.model
        known = Known(
            model.analysis_configurations,
            model.trade_configurations,
            model.coverage,
            model.instruments,
            model.simulations,
        )
        states = tuple((state.code, state.status) for state in model.simulations.values())
        about = (
            known.analyses, known.trades, tuple(model.coverage.items()), id(model.instruments), len(model.instruments),
            states,
        )  # fmt: skip
        before, draft, made = self._planned
        if made is None or before != about or draft != self.draft:
            made = plan(self.draft, known, ui.now_ms)
            self._planned = (about, self.draft.copy(), made)
        return made

    def _errors(self, ui: Ui, now: Plan, failed: Failed | None) -> dict[str, str]:
        """Sentences by field: what is wrong here, then what the manager has refused."""
        t = ui.t
        found = {path: refusal(t, typed, allowed(t, what)) for path, (typed, what) in now.wrong_costs.items()}
        for path, each in now.problems.items():
            if path in ("start", "end") and not self._begun and not each.value:
                continue
            found[path] = refusal(t, each.value, t(each.allowed, **each.parameters))
        if failed is not None and failed.field:
            found.setdefault(failed.field, failed.message)
        return found

    # --- general

    def _head(self, ui: Ui, configured: int) -> None:
        right, top = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x, imgui.get_cursor_pos_y()
        imgui.align_text_to_frame_padding()
        ui.text(ui.t("simulation.new"), size=ui.theme.BODY, bold=True)
        undo = (
            ui.t("simulation.undo", what=ui.t(self._before[-1][0])) if self._before else ui.t("simulation.undo_nothing")
        )
        initialise = ui.t("simulation.initialise")
        padding = 2 * imgui.get_style().frame_padding.x
        room = imgui.calc_text_size(undo).x + imgui.calc_text_size(initialise).x + 2 * padding + ui.px(8)
        widgets.same_line_right(right, room)
        imgui.set_cursor_pos_y(top)
        why = "" if self._before else ui.t("simulation.undo_nothing")
        if widgets.button(ui, "simulation.undo", undo, why_not=why):
            self.undo()
        imgui.same_line(0, ui.px(8))
        imgui.set_cursor_pos_y(top)
        untouched = "" if configured else ui.t("simulation.nothing_to_initialise")
        if widgets.button(ui, "simulation.initialise", initialise, why_not=untouched):
            imgui.open_popup(CONFIRM)
        consequence = ui.t("simulation.initialise_consequence", count=configured)
        if widgets.confirmation(ui, CONFIRM, ui.t("simulation.initialise_title"), consequence, initialise):
            self.remember("simulation.step_initialised")
            self.draft.initialise()
            self.missing = []
        self._notices(ui)

    def _notices(self, ui: Ui) -> None:
        for number, each in enumerate(self.missing):
            symbols = ", ".join(each.symbols[:MOST_NAMED]) + (" …" if len(each.symbols) > MOST_NAMED else "")
            key = "simulation.missing_analysis" if each.kind == "analysis" else "simulation.missing_trade"
            ui.wrapped(f"{icons.WARNING}  {ui.t(key, code=each.code, symbols=symbols)}", ui.colors.warning)
            ui.mark(f"simulation.missing.{number}")

    def _general(self, ui: Ui, errors: Mapping[str, str]) -> None:
        draft = self.draft
        third = (imgui.get_content_region_avail().x - 2 * ui.px(10)) / 3
        draft.code = widgets.text_field(
            ui, "simulation.code", ui.t("field.code"), draft.code, width=third, hint=ui.t("form.automatic"),
            error=errors.get("code", ""),
        )  # fmt: skip
        for name in ("start", "end"):
            imgui.same_line(0, ui.px(10))
            typed = widgets.text_field(
                ui, f"simulation.{name}", ui.t(f"field.{name}"), getattr(draft, name), width=third, unit="UTC",
                error=errors.get(name, ""),
            )  # fmt: skip
            setattr(draft, name, typed)
        options = [(days, ui.t("simulation.range_all" if days == "all" else "simulation.range_days", days=days))
                   for days in RANGES]  # fmt: skip
        chosen = widgets.segments(ui, "simulation.range", "", options)
        if chosen:
            self._preset(ui, chosen)
        spacer(ui)

    def _preset(self, ui: Ui, days: str) -> None:
        """The whole common range of the configured symbols (else of all that are stored), or its last days."""
        symbols = [row.symbol for row in self.draft.configured()] or sorted(ui.model.coverage)
        whole = common_range(symbols, ui.model.coverage)
        if whole is None:
            return
        start = whole.start_ms if days == "all" else max(whole.start_ms, whole.end_ms - int(days) * DAY_MS)
        self.draft.start, self.draft.end = format_time(start), format_time(whole.end_ms)

    # --- assets and costs

    def _assets(self, ui: Ui, now: Plan, errors: Mapping[str, str]) -> None:
        names = sorted(self.draft.assets, key=lambda name: (now.assets[name].assumed == 0, name != "USDT", name))
        widgets.heading(ui, ui.t("simulation.assets"))
        flags = int(imgui.TableFlags_.sizing_stretch_same)
        if not imgui.begin_table("##assets", 3 + len(_ASSET_COLUMNS), flags):
            return
        titles = ["field.asset", "field.initial_balance", "field.allocation", *(f"field.{n}" for n in _ASSET_COLUMNS)]
        imgui.table_next_row()
        for title in titles:
            imgui.table_next_column()
            ui.text(ui.t(title), ui.colors.muted, size=ui.theme.SMALL)
        for name in names:
            imgui.table_next_row()
            self._asset(ui, name, now.assets[name], errors)
        imgui.end_table()
        for name in names:
            for field in ("balance", "allocation"):
                error = errors.get(f"assets.{name}.{field}", "")
                widgets.field_note(ui, f"{name}: {error}" if error else "")

    def _asset(self, ui: Ui, name: str, figures: AssetPlan, errors: Mapping[str, str]) -> None:
        draft = self.draft.assets[name]
        imgui.table_next_column()
        imgui.align_text_to_frame_padding()
        ui.text(name, bold=True)
        for field, mark in (("balance", f"simulation.balance.{name}"), ("allocation", f"simulation.allocation.{name}")):
            imgui.table_next_column()
            wrong = f"assets.{name}.{field}" in errors
            if wrong:
                imgui.push_style_color(imgui.Col_.frame_bg, ImVec4(*ui.colors.bad[:3], 0.16))
            typed = widgets.text_field(ui, mark, "", getattr(draft, field))
            if wrong:
                imgui.pop_style_color()
            setattr(draft, field, typed)
        texts = (
            formats.number(figures.allocatable),
            formats.percent(figures.assumed, 1),
            formats.percent(figures.weighted, 1),
            formats.number(figures.allocated),
            "∞" if figures.max_allocated is None else formats.number(figures.max_allocated),
        )
        for column, text in zip(_ASSET_COLUMNS, texts, strict=True):
            imgui.table_next_column()
            imgui.align_text_to_frame_padding()
            over = column == "assumed_short" and figures.assumed > 1
            ui.text(text, ui.colors.warning if over else None)
            if over:
                widgets.tooltip(ui.t("simulation.over_assumed"))

    def _costs(self, ui: Ui, errors: Mapping[str, str]) -> None:
        wrong = any(path.startswith("costs") for path in errors)
        imgui.push_style_color(imgui.Col_.header, ImVec4(*ui.colors.raised))
        if wrong:
            imgui.set_next_item_open(True)
        opened = imgui.collapsing_header(ui.t("simulation.costs"))
        ui.mark("simulation.costs")
        imgui.pop_style_color()
        if opened:
            draw_tree(ui, "simulation.costs", COSTS, self.draft.costs, errors, "costs", described)

    # --- before it is queued

    def _foot(self, ui: Ui, now: Plan, errors: Mapping[str, str], failed: Failed | None) -> None:
        widgets.heading(ui, ui.t("simulation.preflight"))
        imgui.begin_group()
        why = self._why_not(ui, now, errors)
        label = f"{icons.PLAY}  {ui.t('simulation.add')}"
        if widgets.button(ui, ADD, label, "primary", why_not=why, width=ui.px(190)):
            self._add(ui)
        with ui.font(ui.theme.SMALL):
            imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + ui.px(190))
            ui.text(why, ui.colors.muted)
            imgui.pop_text_wrap_pos()
        imgui.end_group()
        imgui.same_line(0, ui.px(20))
        imgui.begin_child("checks", ImVec2(0, 0))
        for icon, color, text in self._checks(ui, now, errors):
            ui.text(icon, color)
            imgui.same_line(0, ui.px(8))
            with ui.font(ui.theme.SMALL):
                ui.wrapped(text, ui.colors.text)
        if failed is not None and not failed.field:
            widgets.field_note(ui, failed.message)
        imgui.end_child()

    def _checks(
        self, ui: Ui, now: Plan, errors: Mapping[str, str]
    ) -> list[tuple[str, tuple[float, float, float, float], str]]:
        """The pre-flight list: what takes part, on which data, how long it takes; what is wrong."""
        t, c = ui.t, ui.colors
        good, warn, bad = (icons.SUCCESS, c.good), (icons.WARNING, c.warning), (icons.CRITICAL, c.bad)
        found = []
        tradable, configured = now.tradable, now.configured
        sign = good if tradable and len(tradable) == configured else warn if tradable else bad
        found.append((*sign, t("simulation.check_positions", tradable=len(tradable), configured=configured)))
        left_out = [each for each in now.positions.values() if each.row.configured and not each.tradable]
        left_out = [] if {"start", "end"} & now.problems.keys() else left_out
        for each in left_out[:MOST_NAMED]:
            found.append((*warn, t("simulation.check_left_out", symbol=each.row.symbol, reason=t(each.reason))))
        gaps = [each for each in tradable if each.missing]
        if tradable:
            sign = warn if gaps else good
            found.append((*sign, t("simulation.check_data", minutes=f"{now.minutes:,}", missing=f"{now.missing:,}")))
        found += [(*warn, _gap(ui, each)) for each in gaps[:MOST_NAMED]]
        if tradable:
            text = t("simulation.check_cost", time=duration(t, max(0.1, now.seconds)), memory=formats.size(now.size))
            found.append((icons.CLOCK, c.muted, text))
        if errors:
            found.insert(0, (*bad, t("analysis.problems", count=len(errors))))
        return found

    def _why_not(self, ui: Ui, now: Plan, errors: Mapping[str, str]) -> str:
        t, model = ui.t, ui.model
        if not (model.analysis_configurations and model.trade_configurations):
            return t("form.no_configurations")
        if not model.coverage:
            return t("form.no_data")
        if ui.commands.pending(ADD):
            return t("form.sending")
        if now.problems or now.wrong_costs:
            return t("analysis.problems", count=len(errors))
        if not now.tradable:
            first = next((each for each in now.positions.values() if each.row.configured), None)
            if first is None:
                return t("simulation.none_configured")
            return t("simulation.none_tradable", symbol=first.row.symbol, reason=t(first.reason))
        return ""

    def _add(self, ui: Ui) -> None:
        self._planned = (None, None, None)
        spec = self.plan(ui).spec
        if spec is None:
            return
        self._sent_code = self.draft.code.strip()
        ui.commands.send(SIMULATION, AddSimulation(spec), ADD, "done.simulation_added", {"code": spec.code})


def _gap(ui: Ui, each: PositionPlan) -> str:
    return ui.t(
        "simulation.check_gap", symbol=each.row.symbol, missing=f"{each.missing:,}", minutes=f"{each.minutes:,}",
        share=formats.percent(each.missing / max(1, each.minutes), 1),
    )  # fmt: skip
