"""Whether the records of an account add up: each figure as the account says it, as its records make it, and the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.result.tables import Cell, plain_table
from atm.gui.ui import Ui
from atm.model.account_review import TOLERANCE, ReviewCheck

_DECIMALS = 8


def draw_badge(ui: Ui, checks: Sequence[ReviewCheck]) -> None:
    """In a word, in the present line."""
    if not checks:
        return
    broken = [check for check in checks if not check.holds]
    if not broken:
        widgets.badge(ui, f"{icons.CHECK}  {ui.t('history.reconciled')}", ui.colors.good)
    else:
        worst = max(
            broken, key=lambda check: abs(check.difference) if check.difference == check.difference else math.inf
        )
        amount = _amount(worst, worst.difference)
        said = ui.t("history.not_reconciled", what=ui.t(f"review_check.{worst.what}"), amount=amount)
        widgets.badge(ui, f"{icons.WARNING}  {said} {worst.asset}".rstrip(), ui.colors.bad)
    ui.mark("history.badge")


def draw_checks(ui: Ui, checks: Sequence[ReviewCheck]) -> None:
    """The whole table."""
    with widgets.card(ui, "checks", 0, 0, ui.t("history.checks_title")):
        if not checks:
            ui.wrapped(ui.t("history.no_checks"))
            return
        ui.wrapped(ui.t("history.checks_hint", tolerance=f"{TOLERANCE:g}"))
        imgui.dummy(ImVec2(0, ui.px(6)))
        titles = ("", "", "", ui.t("history.of_account"), ui.t("history.of_records"), ui.t("history.difference"), "")
        plain_table(ui, "checks", titles, [_row(ui, check) for check in checks], left=3)


def _row(ui: Ui, check: ReviewCheck) -> list[Cell]:
    good = check.holds
    return [
        (ui.t(f"review_check.{check.what}"), None),
        (ui.t(f"review_check.{check.what}_hint"), ui.colors.muted),
        (check.asset, ui.colors.muted),
        (_amount(check, check.expected), None),
        (_amount(check, check.found), None),
        (_amount(check, 0.0 if good else check.difference, sign=True), ui.colors.muted if good else ui.colors.bad),
        (icons.CHECK if good else icons.WARNING, ui.colors.good if good else ui.colors.bad),
    ]


def _amount(check: ReviewCheck, value: float, *, sign: bool = False) -> str:
    """Whole numbers for counts, money to the tolerance."""
    return formats.number(value, 0 if check.what == "fills" else _DECIMALS, sign=sign)
