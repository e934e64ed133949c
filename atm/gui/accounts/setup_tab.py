"""What an account trades with: share of the balance, positions with their configurations; changed while they are flat."""

from __future__ import annotations

import msgspec
from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.drafts import PositionDraft, percentage, read_positions, written_percent
from atm.gui.position_form import draw_positions, error_at
from atm.gui.read_model import AccountView
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, PutAccount
from atm.model.account import AccountSetup
from atm.model.errors import Invalid

SAVE = "setup.save"


class SetupTab:
    """Keeps what is typed until another account is shown, or the account is changed elsewhere."""

    def __init__(self) -> None:
        self._of: AccountSetup | None = None
        self._positions: list[PositionDraft] = []
        self._allocation = ""

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        stored = msgspec.structs.replace(view.setup, trading=False)
        if stored != self._of:
            self._take(stored)
        failed = ui.commands.failure(SAVE)
        ui.wrapped(ui.t("setup.hint"))
        opened = [each.symbol for each in view.snapshot.positions if each.quantity]
        if opened:
            ui.text(f"{icons.INFO}  {ui.t('setup.open', symbols=', '.join(opened))}", ui.colors.warning)
        self._allocation = widgets.text_field(
            ui, "setup.allocation", ui.t("field.allocation"), self._allocation, width=ui.px(180), unit="%",
            error=error_at(failed, "allocation"),
        )  # fmt: skip
        imgui.dummy(ImVec2(0, ui.px(4)))
        symbols = sorted(ui.model.coverage.keys() | {each.symbol for each in view.setup.positions})
        draw_positions(ui, "setup.positions", self._positions, symbols, failed)
        imgui.dummy(ImVec2(0, ui.px(6)))
        wanted = self._read(ui, view)
        self._buttons(ui, view, wanted)
        widgets.field_note(ui, failed.message if failed is not None else "")
        if isinstance(wanted, Invalid) and failed is None:
            widgets.field_note(ui, str(wanted))

    def _take(self, setup: AccountSetup) -> None:
        self._of = setup
        self._positions = [PositionDraft.of(each) for each in setup.positions] or [PositionDraft()]
        asset = next(iter(setup.assets.values()), None)
        self._allocation = "" if asset is None else written_percent(asset.allocation_ratio)

    def _read(self, ui: Ui, view: AccountView) -> AccountSetup | Invalid:
        """What the form says. The first row is funded first."""
        try:
            ratio = percentage("allocation", self._allocation, 0, 100)
            analyses, trades = ui.model.analysis_configurations, ui.model.trade_configurations
            positions = read_positions(self._positions, analyses, trades)
        except Invalid as error:
            return error
        assets = {
            name: msgspec.structs.replace(asset, allocation_ratio=ratio) for name, asset in view.setup.assets.items()
        }
        return msgspec.structs.replace(view.setup, assets=assets, positions=positions)

    def _buttons(self, ui: Ui, view: AccountView, wanted: AccountSetup | Invalid) -> None:
        same = wanted == view.setup
        why = str(wanted) if isinstance(wanted, Invalid) else ui.t("live.unchanged") if same else ""
        if ui.commands.pending(SAVE):
            why = ui.t("form.sending")
        if widgets.button(ui, SAVE, ui.t("live.save"), "primary", why_not=why) and isinstance(wanted, AccountSetup):
            ui.commands.send(TRADE, PutAccount(wanted), SAVE, "done.account_changed", {"account": wanted.name})
        imgui.same_line()
        if widgets.button(
            ui, "setup.discard", ui.t("analysis.discard"), why_not=ui.t("live.unchanged") if same else ""
        ):
            self._of = None
            ui.commands.forget(SAVE)
