"""Words for what the parts of the Accounts page have in common."""

from __future__ import annotations

import re

from atm.gui import formats, icons
from atm.gui.accounts.suspension import Suspension
from atm.gui.form_fields import label_of
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.live_view import Protection, StopView

_LIMIT = re.compile(r"(\w+): ([\d.e+-]+|inf), allowed ([\d.e+-]+)")
_SHARES = frozenset(("daily_loss", "drawdown", "price_deviation"))


def sentence(ui: Ui, why: Suspension) -> str:
    """A condition as a sentence."""
    parameters = {name: label_of(ui.t, value) if name == "limit" else value for name, value in why.parameters.items()}
    text = ui.texts(why.key, **parameters)
    return f"{text} {reason_of(ui, why.details)}" if why.details else text


def reason_of(ui: Ui, reason: str) -> str:
    """Why something is halted. A limit is told with its own name and unit."""
    found = _LIMIT.fullmatch(reason)
    if found is None:
        return ui.t.said(reason)
    limit, *values = found.groups()
    written = [formats.percent(float(each)) if limit in _SHARES else each for each in values]
    return ui.t("halt.limit", limit=label_of(ui.t, limit), value=written[0], allowed=written[1])


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
