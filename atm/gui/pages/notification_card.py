"""Settings of notifications: on or off, the rules, the addresses, and whether they take what is sent."""

from __future__ import annotations

import msgspec
from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.form_fields import allowed, refusal
from atm.gui.sealing import sealed_for
from atm.gui.struct_draft import Tree, Wrong, read_tree, tree_of
from atm.gui.struct_form import draw_tree
from atm.gui.ui import Ui
from atm.ipc.messages import (
    MAIN,
    NOTIFIER,
    NotificationsUpdated,
    SetChannels,
    SetNotifications,
    StartWorker,
    TestNotification,
)
from atm.ipc.notification_messages import CHANNELS_PURPOSE
from atm.model.notification import ChannelState, NotificationSettings
from atm.model.parameter import parameters_of

PROCESS = f"{NOTIFIER}-0"
START, RULES, CHANNELS, TEST = (f"notify.{name}" for name in ("start", "rules", "channels", "test"))
_PARAMETERS = tuple(each for each in parameters_of(NotificationSettings) if each.name != "enabled")


class NotificationCard:
    """Keeps what is typed; addresses only until they are sent."""

    def __init__(self) -> None:
        self._shown: NotificationSettings | None = None
        self._tree: Tree = {}
        self._addresses = ""

    def draw(self, ui: Ui) -> None:
        """The inside of the card."""
        state = ui.model.notifications
        ui.wrapped(ui.t("notify.about"))
        if state is None:
            self._off(ui)
            return
        if state.settings != self._shown:
            self._shown = state.settings
            self._tree = tree_of(_PARAMETERS, msgspec.to_builtins(state.settings))
        self._switch(ui, state)
        self._rules(ui, state)
        self._channels(ui, state)

    def _off(self, ui: Ui) -> None:
        waits = ui.t("notify.starting") if ui.commands.pending(START) else ""
        if widgets.button(ui, START, ui.t("notify.start"), "primary", why_not=waits):
            ui.commands.send(MAIN, StartWorker(NOTIFIER), START)
        _failure(ui, START)

    def _switch(self, ui: Ui, state: NotificationsUpdated) -> None:
        on = state.settings.enabled
        if widgets.toggle(ui, "notify.enabled", ui.t("notify.enabled"), on) != on:
            self._send(ui, msgspec.structs.replace(state.settings, enabled=not on))

    def _rules(self, ui: Ui, state: NotificationsUpdated) -> None:
        wrong: Wrong = {}
        raw = read_tree(_PARAMETERS, self._tree, "", wrong)
        errors = {path: refusal(ui.t, value, allowed(ui.t, kind)) for path, (value, kind) in wrong.items()}
        draw_tree(ui, "notify.rule", _PARAMETERS, self._tree, errors)
        why_not = ui.t("notify.wrong") if wrong else ""
        wanted = None if wrong else msgspec.convert({"enabled": state.settings.enabled, **raw}, NotificationSettings)
        if wanted == state.settings:
            why_not = ui.t("notify.unchanged")
        if widgets.button(ui, RULES, ui.t("notify.save"), "primary", why_not=why_not) and wanted is not None:
            self._send(ui, wanted)
        _failure(ui, RULES)

    def _send(self, ui: Ui, settings: NotificationSettings) -> None:
        ui.commands.send(PROCESS, SetNotifications(settings), RULES, "notify.saved")

    def _channels(self, ui: Ui, state: NotificationsUpdated) -> None:
        widgets.heading(ui, ui.t("notify.channels"))
        ui.wrapped(ui.t("notify.channels_about"))
        if state.channels:
            self._table(ui, state.channels)
            ui.text(ui.t("notify.kept" if state.kept else "notify.not_kept"), ui.colors.muted)
        imgui.set_next_item_width(-1)
        _, typed = imgui.input_text_multiline("##notify.addresses", self._addresses, ImVec2(-1, ui.px(66)))
        self._addresses = str(typed)
        ui.mark("notify.addresses")
        why_not = "" if self._addresses.strip() else ui.t("notify.no_address")
        if widgets.button(ui, CHANNELS, ui.t("notify.set_channels"), why_not=why_not):
            sealed = sealed_for(state.seal_key, self._addresses, CHANNELS_PURPOSE)
            ui.commands.send(PROCESS, SetChannels(sealed), CHANNELS, "notify.channels_set", timeout_s=30.0)
            self._addresses = ""
        imgui.same_line(0, ui.px(8))
        if widgets.button(ui, TEST, ui.t("notify.test"), why_not="" if state.channels else ui.t("notify.no_channel")):
            ui.commands.send(PROCESS, TestNotification(), TEST, "notify.test_sent")
        _failure(ui, CHANNELS)
        _failure(ui, TEST)

    def _table(self, ui: Ui, channels: tuple[ChannelState, ...]) -> None:
        if not imgui.begin_table("##channels", 5, int(imgui.TableFlags_.sizing_stretch_prop)):
            return
        for name in ("channel", "delivered", "waiting", "lost", "error"):
            imgui.table_setup_column(ui.t(f"notify.{name}"))
        imgui.table_headers_row()
        for each in channels:
            color = ui.colors.bad if each.error else ui.colors.text
            cells = (each.name, str(each.delivered), str(each.waiting), str(each.lost), each.error or icons.SUCCESS)
            for cell in cells:
                imgui.table_next_column()
                ui.text(cell, color)
        imgui.end_table()


def _failure(ui: Ui, scope: str) -> None:
    failed = ui.commands.failure(scope)
    if failed is not None:
        ui.wrapped(ui.t.said(failed.message), ui.colors.bad)
