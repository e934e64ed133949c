"""The rules by which an actual account trades: its risk limits, its policy for outside changes, its stops."""

from __future__ import annotations

import msgspec
from imgui_bundle import imgui

from atm.gui import widgets
from atm.gui.form_fields import allowed, refusal
from atm.gui.read_model import AccountView
from atm.gui.struct_draft import Tree, Wrong, read_tree, tree_of
from atm.gui.struct_form import draw_tree
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, SetLiveRules
from atm.model.parameter import parameters_of
from atm.model.risk import LiveRules

SAVE = "live.save"
PARAMETERS = parameters_of(LiveRules)


class RulesForm:
    """The rules as a form. mark: before the names of its fields."""

    def __init__(self, mark: str, rules: LiveRules) -> None:
        self._mark = mark
        self.show(rules)

    def show(self, rules: LiveRules) -> None:
        """Begin anew with these."""
        self._tree: Tree = tree_of(PARAMETERS, msgspec.to_builtins(rules))

    def draw(self, ui: Ui) -> LiveRules | None:
        """The fields; what they say, None while something of it is not allowed."""
        wrong: Wrong = {}
        raw = read_tree(PARAMETERS, self._tree, "", wrong)
        with ui.font(ui.theme.SMALL):
            ui.wrapped(ui.t("live.policy_about"))
        errors = {path: refusal(ui.t, value, allowed(ui.t, kind)) for path, (value, kind) in wrong.items()}
        draw_tree(ui, self._mark, PARAMETERS, self._tree, errors)
        return None if wrong else msgspec.convert(raw, LiveRules)


class LiveCard:
    """Keeps what is typed until another account is shown, or its rules are changed elsewhere."""

    def __init__(self) -> None:
        self._shown: tuple[str, LiveRules] | None = None
        self._form = RulesForm("live.rule", LiveRules())

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        stands = view.snapshot.name, view.setup.live
        if stands != self._shown:
            self._shown = stands
            self._form.show(view.setup.live)
        is_open = imgui.collapsing_header(f"{ui.t('live.rules')}##live.rules")
        ui.mark("live.rules")
        if is_open:
            self._rules(ui, view)

    def _rules(self, ui: Ui, view: AccountView) -> None:
        wanted = self._form.draw(ui)
        why_not = ui.t("live.wrong") if wanted is None else ""
        if wanted == view.setup.live:
            why_not = ui.t("live.unchanged")
        elif ui.commands.pending(SAVE):
            why_not = ui.t("form.sending")
        if widgets.button(ui, SAVE, ui.t("live.save"), "primary", why_not=why_not) and wanted is not None:
            name = view.snapshot.name
            ui.commands.send(TRADE, SetLiveRules(name, wanted), SAVE, "done.rules_set", {"account": name})
        failed = ui.commands.failure(SAVE)
        widgets.field_note(ui, failed.message if failed is not None else "")
