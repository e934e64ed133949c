"""Export buttons: the reader thread writes, the path is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgui_bundle import imgui

from atm.gui import icons, widgets
from atm.gui.ui import Ui

KINDS = (("csv", "CSV"), ("parquet", "Parquet"), ("html", "HTML"))


@dataclass(slots=True)
class ExportBar:
    """See the module. asked: what was asked for last, as (code, kind, number)."""

    asked: tuple[str, str, int] | None = None
    _number: int = 0

    def draw(
        self,
        ui: Ui,
        code: str,
        write: Callable[[str], Path] | None = None,
        kinds: Sequence[tuple[str, str]] = KINDS,
    ) -> None:
        """At the right end of the present line. write: one of `kinds`, on the reader thread; None = the simulation `code`."""
        labels = [f"{icons.COPY}  {label}" for _, label in kinds]
        room = sum(imgui.calc_text_size(label).x + ui.px(20) + ui.px(6) for label in labels)
        imgui.same_line()
        widgets.same_line_right(imgui.get_content_region_avail().x + imgui.get_cursor_pos_x(), room)
        for index, ((kind, _), label) in enumerate(zip(kinds, labels, strict=True)):
            if index:
                imgui.same_line(0, ui.px(6))
            if widgets.button(ui, f"export.{kind}", label):
                self._number += 1
                self.asked = code, kind, self._number
            widgets.tooltip(ui.t(f"export.{kind}"))
        if self.asked is not None and self.asked[0] == code:
            results, texts = ui.results, ui.texts
            self._outcome(ui, write or (lambda kind: results.export(code, kind, texts)), *self.asked)

    def _outcome(self, ui: Ui, write: Callable[[str], Path], code: str, kind: str, number: int) -> None:
        """The path, or what kept it from being written."""
        written = ui.stored.get(("export", code, number), lambda: write(kind))
        if written.value is None:
            message = ui.t("export.writing") if written.loading else written.error
            ui.text(message, ui.colors.muted if written.loading else ui.colors.bad, size=ui.theme.SMALL)
            return
        ui.text(
            f"{icons.CHECK}  {ui.t('export.written', path=str(written.value))}", ui.colors.good, size=ui.theme.SMALL
        )
        imgui.same_line()
        with ui.font(ui.theme.SMALL):
            if imgui.small_button(f"{icons.COPY}##export.copy"):
                imgui.set_clipboard_text(str(written.value))
        ui.mark("export.copy")
        widgets.tooltip(ui.t("export.copy"))
        imgui.same_line()
        with ui.font(ui.theme.SMALL):
            if imgui.small_button(f"{icons.CLOSE}##export.close"):
                self.asked = None
