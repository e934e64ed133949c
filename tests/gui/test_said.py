"""English sentences of the other processes in the language of the window."""

from __future__ import annotations

import re

import msgspec
import pytest

from atm.gui.drafts import AccountDraft
from atm.gui.texts import Texts, read_catalogue
from atm.managers.trade_setups import check_account, check_change, refuse_used
from atm.model.account import AccountKind, AccountSetup, AssetSetup
from atm.model.errors import ATMError, Invalid
from atm.model.trade_configuration import ScenarioRow, TradeConfiguration, TradeScenario, cautions
from atm.trading.live.risk import Breach
from tests.gui.filled import ASSETS, ROOT, account_setup

ENGLISH = read_catalogue(ASSETS / "texts" / "en" / "LC_MESSAGES" / "atm.po")
SAID = {key: text for key, text in ENGLISH.items() if key.startswith("said.")}
HANGUL = re.compile("[가-힣]")


@pytest.fixture
def korean() -> Texts:
    return Texts(ASSETS / "texts", "ko")


def message(call: object, *arguments: object) -> str:
    with pytest.raises(ATMError) as refused:
        call(*arguments)  # type: ignore[operator]
    return str(refused.value)


def refusals() -> list[str]:
    setup = account_setup()
    richer = msgspec.structs.replace(setup, assets={"USDT": AssetSetup(5.0)})
    fewer = msgspec.structs.replace(setup, positions=setup.positions[1:])
    return [
        message(check_change, setup, richer, set()),
        message(check_change, setup, fewer, {setup.positions[0].symbol}),
        message(refuse_used, "trade", "T", [("paper", "FILUSDT")], "is in use"),
        message(check_account, AccountSetup("a", AccountKind.ACTUAL, {"USDT": AssetSetup(1.0)})),
        message(AccountDraft(name="paper-1").read, {}, {}, {"paper-1": setup}),
        message(AccountDraft(name="new", balance="-3").read, {}, {}, {}),
    ]


def test_what_managers_and_forms_refuse_is_said_in_korean(korean: Texts) -> None:
    for sentence in refusals():
        assert HANGUL.search(korean.said(sentence)), sentence


def test_reasons_keep_their_figures_and_name_their_limit(korean: Texts) -> None:
    said = korean.said(Breach("daily_loss", 0.0512, 0.05, "", True).reason)
    assert korean("parameter.daily_loss") in said
    assert "0.0512" in said and "0.05" in said
    assert (
        Texts(ASSETS / "texts", "en").said("max_leverage: 21, allowed 20") == "Highest leverage of all: 21, allowed 20"
    )


def test_a_caution_about_a_scenario_is_said_in_korean(korean: Texts) -> None:
    scenario = TradeScenario(
        entry=(ScenarioRow(0.0, 0.5), ScenarioRow(0.05, 1.0)), partial_stop_loss=(ScenarioRow(0.01, 0.0),)
    )
    (caution,) = cautions(TradeConfiguration("T9", method=scenario))
    said = korean.said(caution)
    assert HANGUL.search(said) and "T9" in said and not re.search("[a-z]{3}", said)


def test_what_is_not_known_stays_as_it_is_and_lines_are_recognised_one_by_one(korean: Texts) -> None:
    assert korean.said("something of tomorrow") == "something of tomorrow"
    first, second = korean.said(f"something of tomorrow\n{Invalid('name', 3, 'a symbol')}").split("\n")
    assert first == "something of tomorrow" and HANGUL.search(second)


def test_every_sentence_is_still_written_somewhere() -> None:
    """A sentence that was reworded would silently stay English."""
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "atm").rglob("*.py") if "texts.py" not in path.name)
    joined = re.sub(r'"\s*\n\s*f?"', "", sources)
    for key, text in SAID.items():
        pieces = re.split(r"\{\w+\}", text)
        longest = max(pieces, key=len).strip(" (")
        assert longest in joined, f"{key}: {longest!r} is not written anywhere"
