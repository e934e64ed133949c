"""Try it: every number, switch and choice of trade control, allocation and costs under the hand; the whole backtest is
computed anew while a slider moves."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import numpy as np
from imgui_bundle import ImVec2, imgui
from numpy.typing import NDArray

from atm.gui import formats, icons, widgets
from atm.gui.equity_chart import Beside, EquityCurve, draw_equity
from atm.gui.result.sliders import draw_slider, name_of
from atm.gui.result.trial_client import Sent, TrialClient
from atm.gui.result.view import ShownResult
from atm.gui.texts import Texts
from atm.gui.ui import Ui
from atm.ipc.messages import SIMULATION, TRADE, AddSimulation, Failed, PutTradeConfiguration, Reply, TrialRun
from atm.ipc.shared_array import take
from atm.model.adjustable import Adjustable, adjusted, of_specification
from atm.model.errors import ATMError, Invalid
from atm.model.simulation import SimulationSpec
from atm.model.trial import TrialFigures

KEEP, QUEUE = "trial.keep", "trial.queue"
_CODE = re.compile(r"^[\w .-]{1,64}$")
_PER_ROW = 4
_RECENT = 12
"""Answers over which their rate is told."""
_PAUSE_S = 1.5
"""After a pause of so long the rate is that of another move."""


@dataclass(slots=True)
class TrialTab:
    """See the module. changes: values that differ from those of the simulation, by their paths."""

    client: TrialClient = field(default_factory=TrialClient)
    changes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    curve: EquityCurve | None = None
    base: EquityCurve | None = None
    _result: ShownResult | None = None
    _groups: dict[str, tuple[Adjustable, ...]] = field(default_factory=dict)
    _arrivals: deque[int] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def draw(self, ui: Ui, result: ShownResult) -> None:
        self._follow(ui, result)
        side = ui.px(430)
        imgui.begin_child("tried", ImVec2(imgui.get_content_region_avail().x - side - ui.px(10), 0))
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "figures", 0, -1):
            self._figures(ui)
        foot = ui.px(142)
        left = height - (imgui.get_cursor_pos_y()) - foot - ui.px(10)
        with widgets.card(ui, "curve", 0, max(left, ui.px(200)), ui.t("trial.curve")):
            self._curve(ui, result)
        with widgets.card(ui, "keep", 0, 0):
            self._keep(ui, result)
        imgui.end_child()
        imgui.same_line(0, ui.px(10))
        with widgets.card(ui, "sliders", 0, 0, ui.t("trial.title")):
            self._sliders(ui)
        self._drive(ui, result)

    def left(self, ui: Ui) -> None:
        """Nobody looks any more: the simulator may forget the trial."""
        self._send(ui, self.client.leave())
        self.curve = self.base = None

    # --- the session

    def _follow(self, ui: Ui, result: ShownResult) -> None:
        if result is self._result:
            return
        self._send(ui, self.client.leave())
        self._result, self.changes, self.curve, self.base = result, {}, None, None
        self._groups = of_specification(result.spec)
        self.name = f"{result.spec.code[:61]} 2"
        self._arrivals.clear()

    def _drive(self, ui: Ui, result: ShownResult) -> None:
        processes = ui.model.processes
        simulators = {
            name: process.pid
            for name, process in processes.items()
            if name.startswith("simulator-") and process.state == "running"
        }
        self._send(ui, self.client.want(result.spec, self.changes))
        self._send(ui, self.client.step(ui.now_ms, simulators))

    def _send(self, ui: Ui, requests: list[Sent]) -> None:
        for sent in requests:
            ui.ask(sent.to, sent.request, lambda reply, sent=sent: self._answered(ui, sent, reply), sent.timeout_s)  # type: ignore[misc]

    def _answered(self, ui: Ui, sent: Sent, reply: Reply) -> None:
        was = self.client.base
        shown = self.client.answered(sent, reply)
        if isinstance(reply, TrialRun) and shown is None and self.client.base is was:
            take(reply.curve)  # what is not shown is not to lie around
        if shown is None:
            return
        self._arrivals.append(ui.now_ms)
        try:
            self.curve = _curve(shown)
        except ATMError:
            return  # withdrawn: a later one is on its way
        if self.client.base is shown:
            self.base = self.curve

    # --- what is drawn

    def _figures(self, ui: Ui) -> None:
        client = self.client
        if client.shown is None or client.base is None:
            self._state(ui)
            return
        figures = _figures(client.shown.figures, client.base.figures)
        if imgui.begin_table("##figures", _PER_ROW, int(imgui.TableFlags_.sizing_stretch_same)):
            for name, value, change, better in figures:
                imgui.table_next_column()
                tone = ui.colors.muted
                if change and better:
                    tone = ui.colors.up if better > 0 else ui.colors.down
                ui.text(ui.t(f"statistic.{name}"), ui.colors.muted, size=ui.theme.SMALL)
                ui.text(value, size=ui.theme.BODY + 2, bold=True)
                imgui.same_line(0, ui.px(10))
                ui.text(change or " ", tone, size=ui.theme.SMALL)
            imgui.end_table()
        self._state(ui)

    def _state(self, ui: Ui) -> None:
        """What is going on, in a line."""
        t, client = ui.t, self.client
        text, color = t("trial.opening"), ui.colors.muted
        loading = ui.model.trial_loading
        loads = loading is not None and loading.trial == client.trial and loading.share < _LOADED
        if client.refusal is not None:
            text, color = client.refusal.message, ui.colors.bad
        elif client.problem:
            text, color = client.problem, ui.colors.bad if client.phase == "failed" else ui.colors.warning
        elif loading is not None and loads:
            text = t("trial.loading", share=formats.percent(loading.share, 0))
        elif client.shown is not None and client.opened is not None:
            took = formats.number(1000 * client.shown.seconds, 0)
            minutes = f"{client.opened.minutes:,}"
            text = t("trial.speed", minutes=minutes, took=took)
            if self.rate:
                text = t("trial.took", minutes=minutes, took=took, rate=formats.number(self.rate, 1))
        elif client.phase == "open":
            text = t("trial.first_run")
        if client.refusal is not None or client.problem:
            ui.wrapped(text, color)
        else:
            ui.text(text, color, size=ui.theme.SMALL)
        if client.phase == "failed" and widgets.button(ui, "trial.retry", t("action.retry")):
            client.retry()

    @property
    def rate(self) -> float:
        """Answers a second in the present move; 0 before the second one."""
        times = list(self._arrivals)
        for i in range(len(times) - 1, 0, -1):
            if times[i] - times[i - 1] > 1_000 * _PAUSE_S:
                times = times[i:]
                break
        return (len(times) - 1) * 1_000 / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0

    def _curve(self, ui: Ui, result: ShownResult) -> None:
        size = imgui.get_content_region_avail()
        base = self.base if self.base is not None else result.curve
        shown = self.curve if self.curve is not None else base
        if not len(shown.time):
            ui.wrapped(ui.t("result.no_curve"))
            return
        behind = [Beside(ui.t("trial.base"), base, ui.colors.faint, 1.4)] if self.changes else []
        draw_equity(ui, f"trial {result.spec.code}", shown, (size.x, size.y), label=ui.t("trial.tried"), beside=behind)

    def _sliders(self, ui: Ui) -> None:
        why = "" if self.changes else ui.t("trial.nothing_changed")
        if widgets.button(ui, "trial.reset", ui.t("trial.reset"), why_not=why):
            self.changes = {}
        assert self._result is not None
        imgui.begin_child("scrolled", ImVec2(0, 0))
        for root, group in self._groups.items():
            title = ui.t(f"trial.{root}") if root in ("allocation", "costs") else self._trade_code(root)
            imgui.set_next_item_open(True, imgui.Cond_.once)
            if not imgui.collapsing_header(f"{title}##{root}"):
                continue
            width = imgui.get_content_region_avail().x
            for each in group:
                now = self.changes.get(each.path, each.value)
                moved = draw_slider(ui, each, self._name(ui, each, root), now, width)
                if moved == each.value:
                    self.changes.pop(each.path, None)
                elif moved != now:
                    self.changes[each.path] = moved
        imgui.end_child()

    def _trade_code(self, root: str) -> str:
        assert self._result is not None
        return self._result.spec.trade[int(root[6:-1])].code

    def _name(self, ui: Ui, each: Adjustable, root: str) -> str:
        """The symbol or asset first where the group is about several."""
        assert self._result is not None
        if root != "allocation":
            return name_of(ui.t, each, root)
        first, _, name = each.path.rpartition(".")
        if first.startswith("positions["):
            first = self._result.spec.positions[int(first[10:-1])].symbol
        return f"{first.removeprefix('assets.')} · {name_of(ui.t, each, each.path.removesuffix(name))}"

    # --- what becomes of it

    def _keep(self, ui: Ui, result: ShownResult) -> None:
        t = ui.t
        self.name = widgets.text_field(ui, "trial.name", t("trial.name"), self.name, width=ui.px(340))
        changed = sorted({path.partition(".")[0] for path in self.changes if path.startswith("trade[")})
        why = self._why_not(t)
        no_trade = why or ("" if changed else t("trial.no_trade_change"))
        if widgets.button(ui, KEEP, f"{icons.CHECK}  {t('trial.keep')}", "primary", why_not=no_trade):
            self._keep_configurations(ui, result.spec, changed)
        imgui.same_line()
        if widgets.button(ui, QUEUE, f"{icons.SIMULATION}  {t('trial.queue')}", why_not=why):
            self._queue(ui, result.spec)
        for scope in (KEEP, QUEUE):
            failed = ui.commands.failure(scope)
            widgets.field_note(ui, failed.message if failed is not None else "")

    def _why_not(self, t: Texts) -> str:
        """What keeps the trial from being kept."""
        if not self.changes:
            return t("trial.nothing_changed")
        return "" if _CODE.match(self.name) else t("trial.bad_name")

    def _keep_configurations(self, ui: Ui, spec: SimulationSpec, roots: list[str]) -> None:
        """Every trade configuration that was changed, under the name, numbered where there are several."""
        tried = self._adjusted(ui, spec, KEEP)
        if tried is None:
            return
        for number, root in enumerate(roots, 1):
            code = self.name if len(roots) == 1 else f"{self.name} {number}"
            configuration = msgspec.structs.replace(tried.trade[int(root[6:-1])], code=code)
            ui.commands.send(TRADE, PutTradeConfiguration(configuration), KEEP, "done.trial_kept", {"code": code})

    def _queue(self, ui: Ui, spec: SimulationSpec) -> None:
        tried = self._adjusted(ui, spec, QUEUE)
        if tried is not None:
            named = msgspec.structs.replace(tried, code=self.name)
            ui.commands.send(SIMULATION, AddSimulation(named), QUEUE, "done.simulation_added", {"code": self.name})

    def _adjusted(self, ui: Ui, spec: SimulationSpec, scope: str) -> SimulationSpec | None:
        try:
            return adjusted(spec, self.changes)
        except Invalid as error:
            ui.commands.refuse(scope, Failed("Invalid", str(error), error.field))
            return None


def _curve(run: TrialRun) -> EquityCurve:
    """The answer's curve; its points keep the extremes, so peaks and falls are those of the minutes."""
    time_ms, equity = cast("NDArray[np.float64]", take(run.curve))
    peak = np.maximum.accumulate(equity)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.where(peak > 0, equity / peak - 1, 0.0)
    return EquityCurve(time_ms / 1000.0, equity.copy(), fall, equity.copy(), np.zeros(len(equity)))


_LOADED = 0.999

_Row = tuple[str, str, str, int]


def _figures(tried: TrialFigures, base: TrialFigures) -> list[_Row]:
    """(name, value, difference, whether it is better: 1, worse: −1, or neither: 0) of each figure."""
    rows: list[_Row] = []
    for name, kind, better in (
        ("net_profit", "money", 1), ("total_return", "percent", 1), ("max_drawdown", "percent", -1), ("sharpe", "ratio", 1),
        ("trades", "count", 0), ("fees", "money", -1), ("funding", "money", -1), ("liquidations", "count", -1),
        ("unmarked_share", "percent", -1), ("constant_share", "percent", -1),
    ):  # fmt: skip
        now, before = getattr(tried, name), getattr(base, name)
        change = None if now is None or before is None else now - before
        sense = 0 if not change else (1 if change > 0 else -1) * better
        rows.append((name, _written(kind, now, False), "" if not change else _written(kind, change, True), sense))
    return rows


def _written(kind: str, value: float | None, sign: bool) -> str:
    if kind == "percent":
        return formats.percent(value, sign=sign)
    return formats.number(value, 0 if kind == "count" else 2, sign=sign)
