"""What the exchange has booked on an actual account's wallets: sums by type and day, whether our records agree, every difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, Failed, ReconcileIncome, Reply
from atm.model.income import (
    COMMISSION,
    FUNDING_FEE,
    INSURANCE_CLEAR,
    REALIZED_PNL,
    TRANSFER,
    WALLET,
    IncomeCheck,
    IncomeLine,
    IncomeSum,
)
from atm.model.interval import HOUR_MS

RECONCILE_S = 120.0
NAMED = (COMMISSION, REALIZED_PNL, FUNDING_FEE, INSURANCE_CLEAR, TRANSFER, WALLET)
"""Types with a name of their own; of others the exchange's word is shown."""
SUMS_SHARE = 0.32
LINES_WIDTH = 840.0
"""Of all columns; in a narrower window they are scrolled."""
WAYS = ("day", "total")


@dataclass(slots=True)
class IncomeTab:
    """See the module. way: how income is added up; all_lines: explained differences as well; asking: a reading was asked for and is not
    there yet; error: why there was none."""

    way: str = "total"
    all_lines: bool = True
    asking: bool = False
    error: str = ""
    _number: int = 0
    _name: str = ""
    _made: tuple[object, ...] = ()
    _sums: Sequence[IncomeSum] = ()
    _lines: Sequence[IncomeLine] = ()
    _sum_table: Table[IncomeSum] | None = None
    _line_table: Table[IncomeLine] | None = None

    def draw(self, ui: Ui, name: str, market_ms: int) -> None:
        """market_ms: what is stored is read anew each hour, and after a reading that was asked for."""
        if name != self._name:
            self._name, self.asking, self.error = name, False, ""
        results = ui.results
        loaded = ui.stored.get(
            ("account income", name, market_ms // HOUR_MS, self._number), lambda: results.account_income(name)
        )
        found = loaded.value
        with widgets.card(ui, "state", 0, -1):
            self._state(ui, name, found, loaded.error)
        if found is None:
            return
        self._make(ui, found)
        width = imgui.get_content_region_avail().x
        with widgets.card(ui, "sums", width * SUMS_SHARE, 0, ui.t("income.sums")):
            self.way = widgets.segments(ui, "income.way", self.way, [(way, ui.t(f"income.by_{way}")) for way in WAYS])
            if not self._sums:
                ui.wrapped(ui.t("income.none"))
            elif self._sum_table is not None:
                self._sum_table.draw(ui, self._sums)
        imgui.same_line(0, ui.px(12))
        with widgets.card(ui, "lines", 0, 0, ui.t("income.differences")):
            self.all_lines = widgets.toggle(ui, "income.all", ui.t("income.all"), self.all_lines)
            if not self._lines:
                ui.wrapped(ui.t("income.no_lines"))
            elif self._line_table is not None:
                self._line_table.draw(ui, self._lines)

    # --- the head

    def _state(self, ui: Ui, name: str, found: IncomeCheck | None, error: str) -> None:
        self._badge(ui, found, error)
        ui.mark("income.badge")
        if found is not None and found.state.checked_ms:
            imgui.same_line(0, ui.px(12))
            ui.text(ui.t("income.as_of", time=formats.moment(found.state.checked_ms)), ui.colors.muted)
        imgui.same_line(0, ui.px(12))
        label = ui.t("income.reading" if self.asking else "income.reconcile")
        if widgets.button(ui, "income.reconcile", label, why_not=label if self.asking else ""):
            self._ask(ui, ReconcileIncome(name))
        if found is not None and any(line.kind == WALLET for line in found.open):
            self._anew(ui, name)
        if self.error:
            ui.wrapped(f"{icons.WARNING}  {self.error}", ui.colors.warning)
        if found is not None:
            self._figures(ui, found)

    def _badge(self, ui: Ui, found: IncomeCheck | None, error: str) -> None:
        if found is None:
            text, color = (error, ui.colors.bad) if error else (ui.t("income.loading"), ui.colors.info)
        elif not found.state.checked_ms:
            text, color = ui.t("income.not_yet"), ui.colors.info
        elif found.open:
            text, color = f"{icons.WARNING}  {ui.t('income.open', count=str(len(found.open)))}", ui.colors.bad
        else:
            text, color = f"{icons.CHECK}  {ui.t('income.agrees')}", ui.colors.good
        widgets.badge(ui, text, color)

    def _figures(self, ui: Ui, found: IncomeCheck) -> None:
        imgui.dummy(ImVec2(0, ui.px(4)))
        figures: list[tuple[str, str, Color | None]] = [
            (ui.t("income.records"), f"{sum(each.records for each in found.sums):,}", None),
            (ui.t("income.agreeing"), f"{found.agreeing:,}", None),
        ]
        for asset, (has, made) in found.wallets.items():
            difference = has - made
            figures.append((ui.t("income.wallet", asset=asset), money(has), None))
            color = ui.colors.bad if difference else ui.colors.good
            figures.append((ui.t("income.wallet_difference", asset=asset), money(difference), color))
        widgets.stats(ui, figures, 150)

    def _anew(self, ui: Ui, name: str) -> None:
        """Where a balance is not explained for good: reckon from the present one on."""
        imgui.same_line(0, ui.px(8))
        if widgets.button(
            ui, "income.anew", ui.t("income.anew"), why_not=ui.t("income.reading") if self.asking else ""
        ):
            imgui.open_popup("income.anew.confirm")
        consequence = ui.t("income.anew_about")
        if widgets.confirmation(ui, "income.anew.confirm", ui.t("income.anew"), consequence, ui.t("income.anew")):
            self._ask(ui, ReconcileIncome(name, anew=True))

    def _ask(self, ui: Ui, request: ReconcileIncome) -> None:
        self.asking, self.error = True, ""

        def answered(reply: Reply) -> None:
            if request.account == self._name:
                self.asking = False
                self._number += 1
                self.error = reply.message if isinstance(reply, Failed) else ""

        ui.ask(TRADE, request, answered, RECONCILE_S)

    # --- the tables

    def _make(self, ui: Ui, found: IncomeCheck) -> None:
        made = (id(found), self.way, self.all_lines, ui.t.language)
        if made == self._made:
            return
        self._made = made
        self._sums = found.sums if self.way == "day" else _totals(found.sums)
        self._lines = tuple(reversed(found.lines if self.all_lines else found.open))
        self._sum_table, self._line_table = _sum_table(ui, self.way), _line_table(ui)


def _totals(sums: Sequence[IncomeSum]) -> tuple[IncomeSum, ...]:
    """All days together, by type and asset."""
    found: dict[tuple[str, str], IncomeSum] = {}
    for each in sums:
        before = found.get((each.kind, each.asset), IncomeSum(0, each.kind, each.asset, Decimal(0), 0))
        found[each.kind, each.asset] = IncomeSum(
            0, each.kind, each.asset, before.amount + each.amount, before.records + each.records
        )
    return tuple(found[key] for key in sorted(found))


def _sum_table(ui: Ui, way: str) -> Table[IncomeSum]:
    t = ui.t
    day: Column[IncomeSum] = Column(
        t("income.day"), lambda r: formats.moment(r.day_ms)[:10], lambda r: r.day_ms, right=False
    )
    rest: tuple[Column[IncomeSum], ...] = (
        Column(t("income.kind"), lambda r: _kind(ui, r.kind), lambda r: r.kind, right=False, width=1.4),
        Column(t("income.records"), lambda r: f"{r.records:,}", lambda r: r.records, width=0.6),
        Column(
            t("income.amount"), lambda r: money(r.amount), lambda r: float(r.amount), width=1.7,
            color=lambda r: ui.signed(float(r.amount)),
        ),
        Column(t("income.asset"), lambda r: r.asset, lambda r: r.asset, right=False, width=0.7),
    )  # fmt: skip
    columns = (day, *rest) if way == "day" else rest
    return Table("income.sums", columns, lambda r: f"{r.day_ms} {r.kind} {r.asset}", descending_first=True)


def _line_table(ui: Ui) -> Table[IncomeLine]:
    t = ui.t
    columns: tuple[Column[IncomeLine], ...] = (
        Column(t("income.time"), lambda r: formats.moment(r.time_ms), lambda r: r.time_ms, right=False, width=1.4),
        Column(
            t("income.cause"), lambda r: ui.t(f"income_cause.{r.cause.value}"), lambda r: r.cause.value, right=False,
            width=1.7, color=lambda r: None if r.cause.is_explained else ui.colors.bad,
        ),
        Column(t("income.kind"), lambda r: _kind(ui, r.kind), lambda r: r.kind, right=False, width=1.2),
        Column(t("income.symbol"), lambda r: r.symbol, lambda r: r.symbol, right=False),
        Column(
            t("income.difference"), lambda r: money(r.difference), lambda r: float(r.difference), width=1.2,
            color=lambda r: ui.colors.muted if r.cause.is_explained else ui.colors.bad,
        ),
        Column(t("income.asset"), lambda r: r.asset, lambda r: r.asset, right=False, width=0.6),
        Column(t("income.exchange"), lambda r: money(r.exchange), lambda r: float(r.exchange or 0), width=1.2),
        Column(t("income.own"), lambda r: money(r.own), lambda r: float(r.own or 0), width=1.2),
    )  # fmt: skip
    key = "{0.time_ms} {0.kind} {0.symbol} {0.asset} {0.trade_id}".format
    return Table("income.lines", columns, key, descending_first=True, inner_width=LINES_WIDTH)


def _kind(ui: Ui, kind: str) -> str:
    return ui.t(f"income_kind.{kind}") if kind in NAMED else kind


def money(value: Decimal | None) -> str:
    """All eight decimals: what is to be compared is not rounded."""
    return "–" if value is None else f"{value:,.8f}"
