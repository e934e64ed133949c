"""What is wrong with the form of a trade configuration, in the language of the window."""

from __future__ import annotations

from collections.abc import Sequence

from atm.gui.form_fields import allowed, as_typed, refusal
from atm.gui.formats import quantity
from atm.gui.texts import Texts
from atm.gui.trade_draft import TradeDraft, TradeReading
from atm.ipc.messages import FieldProblem
from atm.model.errors import Invalid
from atm.model.trade_configuration import Mismatch, TradeConfiguration, TradeScenario, cautions


def sentences(
    t: Texts, draft: TradeDraft, reading: TradeReading, remote: Sequence[FieldProblem] = ()
) -> dict[str, str]:
    """By the path of the field; the first one at a path stays. remote: what the trade manager found."""
    found = {path: refusal(t, typed, allowed(t, what)) for path, (typed, what) in reading.wrong.items()}
    for each in reading.mistakes:
        found.setdefault(each.field, _sentence(t, draft, each))
    for problem in remote:
        found.setdefault(problem.field, refusal(t, problem.value, problem.allowed))
    return found


def _sentence(t: Texts, draft: TradeDraft, mistake: Invalid) -> str:
    parameter = draft.parameter(mistake.field)
    value = mistake.value if parameter is None else f"{as_typed(parameter, mistake.value)}{parameter.unit}"
    if isinstance(mistake, Mismatch):
        limit = "" if mistake.limit is None else f"{quantity(100 * mistake.limit, 6)}%"
        return refusal(t, value, t(f"mismatch.{mistake.reason}", limit=limit))
    return refusal(t, value, mistake.allowed if parameter is None else allowed(t, parameter))


def caution(t: Texts, configuration: TradeConfiguration) -> str:
    """What is allowed but probably not meant; "" for nothing."""
    method = configuration.method
    if not cautions(configuration) or not isinstance(method, TradeScenario):
        return ""
    first, last = method.partial_stop_loss[0].deviation, method.entry[-1].deviation
    return t("trade.caution_partial_stop", first=f"{quantity(100 * first, 6)}%", last=f"{quantity(100 * last, 6)}%")
