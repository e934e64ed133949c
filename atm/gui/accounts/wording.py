"""Words for what the parts of the Accounts page have in common."""

from __future__ import annotations

from atm.gui import formats, icons
from atm.gui.accounts.suspension import Suspension
from atm.gui.form_fields import label_of
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.live_view import Protection, StopView


def sentence(ui: Ui, why: Suspension) -> str:
    """A condition as a sentence."""
    parameters = {name: label_of(ui.t, value) if name == "limit" else value for name, value in why.parameters.items()}
    text = ui.texts(why.key, **parameters)
    return f"{text} {ui.t.said(why.details)}".rstrip() if why.details else text


def short(ui: Ui, why: Suspension) -> str:
    """A condition in one or two words, for a cell of a table."""
    group, _, name = why.key.partition(".")
    return ui.texts(f"short.{name}") if group == "why" else ui.t("short.activation")


def protection_word(ui: Ui, stop: StopView | None) -> tuple[str, Color]:
    """State of a protective stop, in a word and a colour; a dash for what is flat."""
    if stop is None:
        return formats.UNKNOWN, ui.colors.faint
    tones = {
        Protection.RESTS: ui.colors.good,
        Protection.MOVING: ui.colors.info,
        Protection.MISSING: ui.colors.bad,
        Protection.UNWANTED: ui.colors.warning,
    }
    sign = icons.CHECK if stop.protection is Protection.RESTS else icons.WARNING
    sign = icons.WAITING if stop.protection is Protection.MOVING else sign
    return f"{sign}  {ui.texts(f'protection.{stop.protection.value}')}", tones[stop.protection]
