"""Settings of sounds: on or off, volume, which events; each can be heard at once."""

from __future__ import annotations

from imgui_bundle import imgui

from atm.gui import widgets
from atm.gui.sounds import Sound
from atm.gui.ui import Ui


def draw_sounds(ui: Ui) -> None:
    """The inside of the card."""
    chosen = ui.preferences.sounds
    on = widgets.toggle(ui, "sounds.on", ui.t("settings.sounds_on"), chosen.on)
    if on != chosen.on:
        chosen.on = on
        ui.change_preferences()
    if not on:
        return
    widgets.label_above(ui, ui.t("settings.volume"))
    imgui.set_next_item_width(ui.px(260))
    _, percent = imgui.slider_int("##sounds.volume", round(chosen.volume * 100), 0, 100, "%d %%")
    ui.mark("sounds.volume")
    chosen.volume = percent / 100
    if imgui.is_item_deactivated_after_edit():
        ui.change_preferences()
    for sound in Sound:
        _event(ui, sound)


def _event(ui: Ui, sound: Sound) -> None:
    chosen = ui.preferences.sounds
    wanted = sound.value not in chosen.silent
    if widgets.toggle(ui, f"sounds.{sound.value}", ui.t(f"sound.{sound.value}"), wanted) != wanted:
        silent = set(chosen.silent) ^ {sound.value}
        chosen.silent = tuple(each.value for each in Sound if each.value in silent)
        ui.change_preferences()
    imgui.same_line(ui.px(330))
    if widgets.button(ui, f"sounds.{sound.value}.hear", ui.t("settings.hear")):
        ui.on_sound(sound)
