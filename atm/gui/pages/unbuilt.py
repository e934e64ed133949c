"""Pages that are not built yet: what will be here, and what already works elsewhere."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.shell import ICONS
from atm.gui.ui import PageName, Ui


class UnbuiltPage:
    """An honest empty state. instead: the pages where part of it works today."""

    def __init__(self, name: PageName, instead: tuple[PageName, ...]) -> None:
        self._name = name
        self._instead = instead

    def draw(self, ui: Ui) -> None:
        widgets.empty(ui, ICONS[self._name], ui.t("unbuilt.title"), ui.t(f"unbuilt.{self._name.value}"))
        imgui.dummy(ImVec2(0, ui.px(10)))
        labels = [ui.t(f"page.{page.value}") for page in self._instead]
        room = sum(imgui.calc_text_size(label).x + ui.px(32) for label in labels)
        imgui.set_cursor_pos_x((imgui.get_window_width() - room) / 2)
        for page, label in zip(self._instead, labels, strict=True):
            if widgets.button(ui, f"unbuilt.go.{page.value}", label):
                ui.go(page)
            imgui.same_line()
        imgui.new_line()
