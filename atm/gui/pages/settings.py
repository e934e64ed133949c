"""Settings of the window: language, theme, colours, size. Everything is in force and stored at once."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.pages.notification_card import NotificationCard
from atm.gui.pages.sound_card import draw_sounds
from atm.gui.texts import LANGUAGES
from atm.gui.theme import DIRECTION_COLORS, hexa
from atm.gui.ui import Ui

SCALES = (0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)


class SettingsPage:
    """See the module."""

    def __init__(self) -> None:
        self._notifications = NotificationCard()

    def draw(self, ui: Ui) -> None:
        width = min(ui.px(720), imgui.get_content_region_avail().x)
        with widgets.card(ui, "look", width, -1, ui.t("settings.look")):
            self._language(ui)
            self._theme(ui)
            self._direction(ui)
            self._scale(ui)
        with widgets.card(ui, "keys", width, -1, ui.t("settings.keys")):
            self._keys(ui)
        with widgets.card(ui, "sounds", width, -1, ui.t("settings.sounds")):
            draw_sounds(ui)
        with widgets.card(ui, "notifications", width, -1, ui.t("settings.notifications")):
            self._notifications.draw(ui)
        with widgets.card(ui, "rest", width, -1, ui.t("settings.later_title")):
            ui.wrapped(ui.t("settings.later"))

    def _language(self, ui: Ui) -> None:
        widgets.label_above(ui, ui.t("settings.language"))
        chosen = widgets.segments(ui, "settings.language", ui.preferences.language, list(LANGUAGES.items()))
        if chosen != ui.preferences.language:
            _change(ui, language=chosen)

    def _theme(self, ui: Ui) -> None:
        imgui.dummy(ImVec2(0, ui.px(4)))
        widgets.label_above(ui, ui.t("settings.theme"))
        options = [(name, ui.t(f"theme.{name}")) for name in ("dark", "light")]
        chosen = widgets.segments(ui, "settings.theme", ui.preferences.theme, options)
        if chosen != ui.preferences.theme:
            _change(ui, theme=chosen)

    def _direction(self, ui: Ui) -> None:
        imgui.dummy(ImVec2(0, ui.px(4)))
        widgets.label_above(ui, ui.t("settings.direction_colors"))
        pairs = DIRECTION_COLORS[ui.preferences.theme]
        options = [(name, ui.t(f"direction_colors.{name}")) for name in pairs]
        chosen = widgets.segments(ui, "settings.direction_colors", ui.preferences.direction_colors, options)
        up, down = (hexa(code) for code in pairs[ui.preferences.direction_colors])
        ui.text("▲ +1.25%", up, bold=True)
        imgui.same_line()
        ui.text("▼ −1.25%", down, bold=True)
        if chosen != ui.preferences.direction_colors:
            _change(ui, direction_colors=chosen)

    def _scale(self, ui: Ui) -> None:
        imgui.dummy(ImVec2(0, ui.px(4)))
        widgets.label_above(ui, ui.t("settings.scale"))
        options = [(str(scale), f"{scale:.0%}") for scale in SCALES]
        chosen = float(widgets.segments(ui, "settings.scale", str(ui.preferences.scale), options))
        if chosen != ui.preferences.scale:
            ui.preferences.scale = chosen
            ui.change_preferences()

    def _keys(self, ui: Ui) -> None:
        if not imgui.begin_table("##keys", 2, int(imgui.TableFlags_.sizing_fixed_fit)):
            return
        for keys, what in (
            ("Ctrl 1 … 9", "keys.pages"),
            ("F11", "keys.full_screen"),
            ("← → ↑ ↓  Home  End", "keys.chart"),
        ):
            imgui.table_next_column()
            ui.text(keys, bold=True)
            imgui.table_next_column()
            ui.text(ui.t(what), ui.colors.muted)
        imgui.end_table()


def _change(ui: Ui, **changes: str) -> None:
    for name, value in changes.items():
        setattr(ui.preferences, name, value)
    ui.change_preferences()
