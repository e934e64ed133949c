"""How an actual account trades: what is halted of it and why, its risk limits, its policy for outside changes, its stops."""

from __future__ import annotations

import msgspec
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.form_fields import allowed, refusal
from atm.gui.read_model import AccountView
from atm.gui.struct_draft import Tree, Wrong, read_tree, tree_of
from atm.gui.struct_form import draw_tree
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, ResumeLive, SetLiveRules
from atm.model.journal import KILLED, WHOLE_ACCOUNT, Halted
from atm.model.parameter import parameters_of
from atm.model.risk import LiveRules

SAVE, RESUME = "live.save", "live.resume"
PARAMETERS = parameters_of(LiveRules)


class LiveCard:
    """Keeps what is typed until another account is shown, or its rules are changed elsewhere."""

    def __init__(self) -> None:
        self._shown: tuple[str, LiveRules] | None = None
        self._tree: Tree = {}

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        stands = view.snapshot.name, view.setup.live
        if stands != self._shown:
            self._shown = stands
            self._tree = tree_of(PARAMETERS, msgspec.to_builtins(view.setup.live))
        for halt in view.snapshot.halts:
            self._halt(ui, view.snapshot.name, halt)
        if not view.snapshot.halts:
            ui.text(f"{icons.SUCCESS}  {ui.t('live.nothing_halted')}", ui.colors.good)
        _failure(ui, RESUME)
        imgui.dummy(ImVec2(0, ui.px(4)))
        if imgui.collapsing_header(f"{ui.t('live.rules')}##live.rules"):
            ui.mark("live.rules")
            self._rules(ui, view)
        else:
            ui.mark("live.rules")

    def _halt(self, ui: Ui, name: str, halt: Halted) -> None:
        scope = halt.scope or ui.t("live.whole_account")
        reason = ui.t("live.killed") if halt.reason == KILLED else halt.reason
        imgui.align_text_to_frame_padding()
        ui.text(f"{icons.WARNING}  {ui.t('live.halted', scope=scope, reason=reason)}", ui.colors.warning)
        imgui.same_line()
        since = ui.t("live.since", time=formats.moment(halt.time_ms))
        until = ui.t("live.until", time=formats.moment(halt.until_ms)) if halt.until_ms else ""
        ui.text(f"{since} {until}", ui.colors.muted, size=ui.theme.SMALL)
        imgui.same_line()
        mark = f"{RESUME}.{halt.scope or 'account'}"
        if widgets.button(ui, mark, ui.t("live.resume")):
            imgui.open_popup(f"{mark}.confirm")
        key = "live.resume_account" if halt.scope == WHOLE_ACCOUNT else "live.resume_symbol"
        consequence = ui.t(key, scope=halt.scope, account=name)
        title = ui.t("live.resume_title", scope=scope)
        if widgets.confirmation(ui, f"{mark}.confirm", title, consequence, ui.t("live.resume")):
            ui.commands.send(TRADE, ResumeLive(name, halt.scope), RESUME, "done.resumed", {"scope": scope})

    def _rules(self, ui: Ui, view: AccountView) -> None:
        wrong: Wrong = {}
        raw = read_tree(PARAMETERS, self._tree, "", wrong)
        with ui.font(ui.theme.SMALL):
            ui.wrapped(ui.t("live.policy_about"))
        errors = {path: refusal(ui.t, value, allowed(ui.t, kind)) for path, (value, kind) in wrong.items()}
        draw_tree(ui, "live.rule", PARAMETERS, self._tree, errors)
        wanted = None if wrong else msgspec.convert(raw, LiveRules)
        why_not = ui.t("live.wrong") if wrong else ""
        if wanted == view.setup.live:
            why_not = ui.t("live.unchanged")
        elif ui.commands.pending(SAVE):
            why_not = ui.t("form.sending")
        if widgets.button(ui, SAVE, ui.t("live.save"), "primary", why_not=why_not) and wanted is not None:
            name = view.snapshot.name
            ui.commands.send(TRADE, SetLiveRules(name, wanted), SAVE, "done.rules_set", {"account": name})
        _failure(ui, SAVE)


def _failure(ui: Ui, scope: str) -> None:
    failed = ui.commands.failure(scope)
    widgets.field_note(ui, failed.message if failed is not None else "")
