"""Export incident: what the black box has of an account, as one file."""

from __future__ import annotations

import time

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.ui import Ui
from atm.ipc.messages import LONGEST_EXPORT_S, MAIN, ExportIncident

EXPORT = "incident.export"
RANGES = {"15m": 900.0, "1h": 3_600.0, "6h": 21_600.0, "24h": 86_400.0, "7d": 604_800.0}
"""Choices of how far back, in seconds."""
DEFAULT = "1h"


class IncidentCard:
    """Remembers the range, and the file of the newest export of each account."""

    def __init__(self) -> None:
        self._range = DEFAULT
        self._asked: dict[str, str] = {}
        self._done: dict[str, str] = {}

    def draw(self, ui: Ui, account: str) -> None:
        """The inside of the card."""
        scope = f"{EXPORT}.{account}"
        if ui.commands.succeeded(scope):
            self._done[account] = self._asked[account]
        ui.wrapped(ui.t("incident.about"))
        imgui.dummy(ImVec2(0, ui.px(6)))
        imgui.align_text_to_frame_padding()
        ui.text(ui.t("incident.last"), ui.colors.muted)
        imgui.same_line()
        self._range = widgets.segments(ui, "incident.range", self._range, _options(ui))
        imgui.same_line(0, ui.px(16))
        busy = ui.commands.pending(scope)
        label = f"{icons.COPY}  {ui.t('incident.export')}"
        if widgets.button(ui, EXPORT, label, why_not=ui.t("incident.busy") if busy else ""):
            self._export(ui, account, scope)
        failed = ui.commands.failure(scope)
        if busy:
            ui.text(ui.t("incident.busy"), ui.colors.muted, size=ui.theme.SMALL)
        elif failed is not None:
            widgets.field_note(ui, ui.t.said(failed.message))
        elif account in self._done:
            said = ui.t("incident.done", file=self._done[account])
            ui.text(f"{icons.SUCCESS}  {said}", ui.colors.good, size=ui.theme.SMALL)

    def _export(self, ui: Ui, account: str, scope: str) -> None:
        at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(ui.now_ms / 1000))
        file = self._asked[account] = f"{account}-{at}.atmincident"
        self._done.pop(account, None)
        request = ExportIncident(account, RANGES[self._range], file)
        ui.commands.send(
            MAIN, request, scope, "done.incident_exported", {"file": file}, timeout_s=LONGEST_EXPORT_S + 5
        )  # fmt: skip


def _options(ui: Ui) -> list[tuple[str, str]]:
    """Values of the range with their labels."""
    return [
        ("15m", ui.t("incident.minutes", count=15)),
        ("1h", ui.t("incident.hour")),
        ("6h", ui.t("incident.hours", count=6)),
        ("24h", ui.t("incident.hours", count=24)),
        ("7d", ui.t("incident.days", count=7)),
    ]
