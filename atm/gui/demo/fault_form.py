"""The form of a fault and of a seeded schedule, made from the table in `atm.model.fault`."""

from __future__ import annotations

from typing import Any, get_args

from imgui_bundle import imgui

from atm.gui import form_fields, widgets
from atm.gui.form_fields import Values
from atm.gui.texts import Texts
from atm.gui.ui import Ui
from atm.model.errors import Invalid, Problems
from atm.model.fault import (
    FORMS,
    LARGEST_SEED,
    Fault,
    FaultCommand,
    FaultGroup,
    FaultKind,
    FaultReport,
    FaultSchedule,
    fields_of,
    read_fault,
)
from atm.model.parameter import Parameter

GROUPS: tuple[str, ...] = get_args(FaultGroup)
ROUTES = ("public", "market", "private", "one")
SCHEDULE = (
    Parameter("seed", "whole", default=1, least=0, most=LARGEST_SEED),
    Parameter("minutes", "number", default=10.0, least=0.1, most=1_440.0),
)


class FaultForm:
    """Keeps the kind that is chosen and what is typed, for each kind."""

    def __init__(self) -> None:
        self.kind = FaultKind.DISCONNECT
        self._typed: dict[FaultKind, Values] = {}
        self._errors: dict[str, str] = {}
        self._schedule = form_fields.fresh(SCHEDULE)
        self._schedule_errors: dict[str, str] = {}

    def draw(self, ui: Ui, report: FaultReport, accounts: tuple[str, ...], busy: bool) -> FaultCommand | None:
        """What the user starts in this frame."""
        command = self._draw_kind(ui, report, accounts, busy)
        imgui.separator()
        return self._draw_schedule(ui, busy) or command

    # --- one fault

    def _draw_kind(self, ui: Ui, report: FaultReport, accounts: tuple[str, ...], busy: bool) -> FaultCommand | None:
        group = FORMS[self.kind].group
        chosen = widgets.segments(ui, "fault.group", group, [(each, ui.t(f"fault_group.{each}")) for each in GROUPS])
        if chosen != group:
            self._choose(next(kind for kind, form in FORMS.items() if form.group == chosen))
        kinds = [(kind.value, ui.t(f"fault.{kind.value}")) for kind, form in FORMS.items() if form.group == chosen]
        imgui.same_line(0, ui.px(12))
        kind = FaultKind(widgets.choice(ui, "fault.kind", "", self.kind.value, kinds, width=ui.px(230)))
        if kind is not self.kind:
            self._choose(kind)
        ui.wrapped(ui.t(f"fault_about.{self.kind.value}"))
        values = self._typed.setdefault(self.kind, form_fields.fresh(list(fields_of(self.kind).values())))
        self._draw_fields(ui, values, report, accounts)
        why = ui.t("form.sending") if busy else ""
        if widgets.button(ui, "fault.start", ui.t("fault_action.start"), "primary", why_not=why):
            return self._started(ui, values)
        return None

    def _choose(self, kind: FaultKind) -> None:
        self.kind, self._errors = kind, {}

    def _draw_fields(self, ui: Ui, values: Values, report: FaultReport, accounts: tuple[str, ...]) -> None:
        width = imgui.get_content_region_avail().x
        cell, gap = ui.px(form_fields.CELL), ui.px(14)
        per_row = max(1, int((width + gap) // (cell + gap)))
        for index, (name, parameter) in enumerate(fields_of(self.kind).items()):
            if index % per_row:
                imgui.same_line(0, gap)
            typed = values[parameter.name]
            error = self._errors.get(parameter.name, "")
            options = self._targets(ui, report, accounts) if name == "target" else []
            if options:
                values["target"] = widgets.choice(
                    ui, "fault.target", ui.t("fault_target.name"), str(typed), options, width=cell
                )
            else:
                mark = f"fault.{parameter.name}"
                values[parameter.name] = form_fields.draw_field(ui, mark, parameter, typed, error, cell, _label)

    def _targets(self, ui: Ui, report: FaultReport, accounts: tuple[str, ...]) -> list[tuple[str, str]]:
        """What can be chosen as the target; empty where it is a pattern to be typed."""
        every = ("", ui.t("fault_target.every"))
        match FORMS[self.kind].target:
            case "connection":
                routes = [(route, ui.t(f"fault_target.{route}")) for route in ROUTES]
                return [every, *routes, *((f"#{each.number}", f"#{each.number}") for each in report.connections)]
            case "symbol":
                return [every, *((symbol, symbol) for symbol in ui.model.open_bars)]
            case "account":
                return [every, *((name, name) for name in accounts)]
        return []

    def _started(self, ui: Ui, values: Values) -> FaultCommand | None:
        given: dict[str, Any] = {"kind": self.kind.value}
        given |= _read(ui, list(fields_of(self.kind).values()), values, self._errors)
        if self._errors:
            return None
        try:
            fault: Fault = read_fault(given)
        except Problems as problems:
            self._errors.update({each.field: each.allowed for each in problems.found})
            return None
        except Invalid as problem:
            self._errors[problem.field] = problem.allowed
            return None
        return FaultCommand(fault=fault)

    # --- a schedule

    def _draw_schedule(self, ui: Ui, busy: bool) -> FaultCommand | None:
        ui.text(ui.t("fault_schedule.title"), bold=True)
        imgui.same_line(0, ui.px(10))
        ui.text(ui.t("fault_schedule.hint"), ui.colors.muted, size=ui.theme.SMALL)
        width = form_fields.fields_width(ui, len(SCHEDULE))
        form_fields.draw_fields(
            ui, "fault.schedule", SCHEDULE, self._schedule, self._schedule_errors, str, width, _label
        )
        imgui.same_line(0, ui.px(14))
        imgui.begin_group()
        widgets.label_above(ui, "")
        why = ui.t("form.sending") if busy else ""
        started = widgets.button(ui, "fault.schedule.start", ui.t("fault_schedule.start"), why_not=why)
        imgui.end_group()
        if not started:
            return None
        read = _read(ui, SCHEDULE, self._schedule, self._schedule_errors)
        if self._schedule_errors:
            return None
        return FaultCommand(schedule=FaultSchedule(read["seed"], read["minutes"]))


def _label(t: Texts, parameter: Parameter) -> str:
    """These names are something else in trading."""
    own = {"target": "fault_target.name", "minutes": "fault_schedule.minutes"}.get(parameter.name)
    return t(own) if own is not None else form_fields.label_of(t, parameter.name)


def _read(ui: Ui, parameters: list[Parameter] | tuple[Parameter, ...], values: Values, errors: dict[str, str]) -> Any:
    """The values that were typed; the sentences for what is wrong are put into `errors`."""
    errors.clear()
    found: dict[str, Any] = {}
    for parameter in parameters:
        try:
            found[parameter.name] = form_fields.read(parameter, values[parameter.name])
        except Invalid:
            what = form_fields.allowed(ui.t, parameter)
            errors[parameter.name] = form_fields.refusal(ui.t, values[parameter.name], what)
    return found
