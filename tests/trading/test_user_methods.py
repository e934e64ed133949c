"""Users' methods in the account engine: what their answers do, and what becomes of a file that breaks a promise."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.analyzers import installed
from atm.analyzers.checker import Verdict
from atm.analyzers.examine import examine_apart
from atm.analyzers.user_indicators import Report, UserIndicators, examine_here
from atm.model.account import AssetSetup, PositionSetup, TradeReason
from atm.model.errors import Invalid, Problems, Refused
from atm.model.interval import MINUTE_MS, Interval
from atm.model.kernel import kernel
from atm.model.trade_configuration import Direction, TradeConfiguration, UserMethod
from atm.model.trade_method import Answer, Held, TradeMethod
from atm.trading.engine import AccountEngine
from atm.trading.layout import MEMORY, Input, Position
from atm.trading.method_checker import check_method
from atm.trading.minute_grid import MinuteGrid
from tests.trading.scene import ANALYSIS, FREE, Scene, instrument, row

EXAMPLES = Path(__file__).parent.parent.parent / "strategies"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


@kernel
def obey(params, memory, row, position, out):
    """Says what its three columns say, and remembers what it saw."""
    memory[0] += 1.0
    memory[1 : 1 + len(position)] = position
    out[:] = row[:3]


OBEY = TradeMethod[Nothing](
    name="OBEY",
    parameters=Nothing,
    columns=lambda _: ("KLINE.0.open", "KLINE.0.high", "KLINE.0.low"),
    pack=lambda _: np.empty(0),
    decide=obey,
    memory=1 + len(Held),
)


def scene(**settings: Any) -> Scene:
    trade = TradeConfiguration("t", method=UserMethod("OBEY"), **settings)
    made = AccountEngine(
        {"USDT": AssetSetup(10_000, 1.0)},
        [PositionSetup("XUSDT", "a", "t", 0.4, 1, 1_000)],
        [ANALYSIS],
        [trade],
        [instrument()],
        FREE,
        {"OBEY": OBEY},
    )
    return Scene(made)


def says(close: float, target: float, stop: float = np.nan, limit: float = np.nan) -> np.ndarray:
    return np.concatenate([row(close), [target, stop, limit]])


def remembered(s: Scene) -> np.ndarray:
    memory: np.ndarray = s.engine._positions[0, MEMORY : MEMORY + OBEY.memory].copy()
    return memory


def test_a_target_is_an_order_of_the_next_open_and_no_opinion_is_none() -> None:
    s = scene(leverage=2)
    assert s.decide(says(100, 0.5)) == []
    (entry,) = s.walk(101, 102)
    assert (entry.reason, entry.price, entry.quantity) == (TradeReason.ENTRY, 101, 10.0)  # 1,000 · 0.5 · 2 / 100
    s.decide(says(102, np.nan))
    assert s.walk(102, 90) == []
    s.decide(says(90, -0.25))
    assert [(f.reason, f.side.value, f.quantity) for f in s.walk(90, 90)] == [
        (TradeReason.CLEAR, "SELL", 10.0),
        (TradeReason.ENTRY, "SELL", pytest.approx(0.25 * 1_000 * 2 / 90, abs=1e-3)),
    ]
    s.decide(says(90, 0.0))
    assert [f.reason for f in s.walk(90, 90)] == [TradeReason.CLEAR]


def test_what_it_sees_of_its_position() -> None:
    s = scene(leverage=2, full_stop_loss_immediate=0.1)
    s.decide(says(100, 0.5))
    assert remembered(s)[1:].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 1]
    s.walk(100, 104)
    s.decide(says(104, 0.5))
    seen = remembered(s)[1:]
    assert seen[[Held.EXPOSURE, Held.QUANTITY, Held.ENTRY, Held.BARS]].tolist() == [0.5, 10.0, 100.0, 1.0]
    assert seen[Held.RETURN] == pytest.approx(0.04)
    assert seen[[Held.ALLOCATED, Held.TARGET, Held.CLOSE, Held.STOP]].tolist() == [1_000.0, 0.5, 104.0, 90.0]
    s.decide(says(104, 0.5))
    assert remembered(s)[[0, 1 + Held.BARS]].tolist() == [3.0, 2.0]
    s.walk(104, 89)
    s.decide(says(89, np.nan))
    assert remembered(s)[1:][[Held.QUANTITY, Held.BARS, Held.STOPPED]].tolist() == [0.0, 0.0, 1.0]


MINUTELY = dataclasses.replace(OBEY, name="MINUTELY", every_minute=True)


def minutely(**settings: Any) -> Scene:
    costs = settings.pop("costs", FREE)
    made = AccountEngine(
        {"USDT": AssetSetup(10_000, 1.0)},
        [PositionSetup("XUSDT", "a", "t", 0.4, 1, 1_000)],
        [ANALYSIS],
        [TradeConfiguration("t", method=UserMethod("MINUTELY"), **settings)],
        [instrument()],
        costs,
        {"MINUTELY": MINUTELY},
    )
    return Scene(made)


def open_bar(elapsed: float, decision: np.ndarray) -> np.ndarray:
    """The row of a bar of which this share is over."""
    made = decision.copy()
    made[Input.ELAPSED] = elapsed
    return made


def test_inside_of_a_bar_a_method_decides_and_knows_how_much_of_it_is_over() -> None:
    s = minutely()
    assert s.engine.every_minute == {"XUSDT"} and scene().engine.every_minute == frozenset()
    assert s.engine.columns("XUSDT", Interval.M5)[:3] == ("5m.KLINE.0.open", "5m.KLINE.0.close", "5m.BAR.0.elapsed")
    assert "5m.BAR.0.elapsed" not in scene().engine.columns("XUSDT", Interval.M5)
    s.decide(open_bar(0.2, says(100, 1.0)))
    assert remembered(s)[1 + Held.ELAPSED] == 0.2
    (entry,) = s.decide(open_bar(0.4, says(100, 1.0)))
    assert (entry.reason, entry.time_ms) == (TradeReason.ENTRY, MINUTE_MS)
    bars = []
    for elapsed in (0.6, 0.8, 1.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.2):
        s.decide(open_bar(elapsed, says(100, 1.0)))
        bars.append(remembered(s)[1 + Held.BARS])
    assert bars == [0, 0, 1, 1, 1, 1, 1, 2, 2], "decision bars that have closed since the entry"
    s.decide(says(100, np.nan))
    assert remembered(s)[1 + Held.ELAPSED] == 1.0


def test_the_stop_on_close_acts_at_closes_of_the_decision_bar_alone() -> None:
    s = minutely(full_stop_loss_close=0.05)
    s.decide(open_bar(1.0, says(100, 1.0)))
    s.walk(100, 90)
    for elapsed in (0.4, 0.8):
        assert s.decide(open_bar(elapsed, says(90, 1.0))) == []
    s.decide(open_bar(1.0, says(90, 1.0)))
    (out,) = s.walk(91, 91)
    assert (out.reason, out.price) == (TradeReason.STOP_CLOSE, 91)


def test_inside_of_a_bar_nothing_interferes_with_a_stop_on_close_that_is_being_filled() -> None:
    s = minutely(
        full_stop_loss_close=0.05, post_stop_reentry=True, costs=msgspec.structs.replace(FREE, participation=1.0)
    )
    s.decide(open_bar(1.0, says(100, 1.0)))
    for _ in range(10):  # a minute has a volume of 1, and the position 10
        s.decide(says(100, np.nan))
    s.decide(open_bar(1.0, says(90, 1.0)))
    fills = []
    for elapsed in (0.2, 0.4, 0.6, 0.8):
        fills += s.decide(open_bar(elapsed, says(90, 1.0)))
    assert [fill.reason for fill in fills] == [TradeReason.STOP_CLOSE] * 4
    assert s.engine.snapshot().positions[0].quantity == pytest.approx(6.0)


def test_a_missing_minute_of_an_open_bar_is_no_decision() -> None:
    s = minutely()
    s.decide(open_bar(0.2, says(100, 1.0)))
    before = remembered(s)[0]
    s.play(100, 100, 100, 100, open_bar(0.4, np.full(len(says(100, 1.0)), np.nan)))
    assert remembered(s)[0] == before


def test_the_protective_stop_acts_inside_the_minute_and_lives_until_it_is_changed_or_the_position_flat() -> None:
    s = scene()
    s.decide(says(100, 1.0, stop=95.004))
    s.walk(100, 101)
    assert s.engine.snapshot().positions[0].stop_price == 95.0  # on the tick
    s.decide(says(101, 1.0))  # NaN: as it was
    s.decide(says(101, np.nan, stop=97.0))  # it may move without an opinion
    (out,) = s.walk(101, 96)
    assert (out.reason, out.price, out.quantity_after) == (TradeReason.STOP_IMMEDIATE, 97.0, 0.0)
    s.decide(says(96, -1.0))
    s.walk(96, 96)
    assert s.engine.snapshot().positions[0].stop_price is None, "the next position has none of the last one's"
    s.decide(says(96, -1.0, stop=99.0))
    s.decide(says(96, -1.0, stop=0.0))
    assert s.walk(96, 120) == []


def test_of_protective_and_full_stop_the_nearer_acts() -> None:
    for stop, price in ((95.0, 96.0), (97.5, 97.5), (np.nan, 96.0)):
        s = scene(full_stop_loss_immediate=0.04)
        s.decide(says(100, 1.0, stop=stop))
        fills = s.walk(100, 100, 90)
        assert [(f.reason, f.price) for f in fills[1:]] == [(TradeReason.STOP_IMMEDIATE, price)]


def test_a_stop_of_a_reversed_position_waits_for_it() -> None:
    s = scene()
    s.decide(says(100, 1.0, stop=95.0))
    s.walk(100, 100)
    s.decide(says(100, -1.0, stop=104.0))
    assert s.engine.snapshot().positions[0].stop_price == 95.0, "it is not that of the position still held"
    fills = s.walk(100, 103, 105)
    assert [(f.reason, f.price) for f in fills] == [
        (TradeReason.CLEAR, 100.0),
        (TradeReason.ENTRY, 100.0),
        (TradeReason.STOP_IMMEDIATE, 104.0),
    ]


def test_a_stop_beyond_the_price_acts_at_the_next_price() -> None:
    s = scene()
    s.decide(says(100, 1.0, stop=90.0))
    s.walk(100, 100)
    s.decide(says(100, 1.0, stop=101.0))
    (out,) = s.walk(100.5, 100.7)
    assert (out.reason, out.price) == (TradeReason.STOP_IMMEDIATE, 100.5)


@pytest.mark.parametrize("reentry", [False, True])
def test_after_a_stop_the_side_stays_closed_until_something_else_was_wanted(reentry: bool) -> None:
    s = scene(post_stop_reentry=reentry)
    s.decide(says(100, 1.0, stop=99.0))
    s.walk(100, 98)
    s.decide(says(98, 1.0))
    assert bool(s.walk(98, 98)) is reentry
    s.decide(says(98, 0.0))
    s.walk(98, 98)
    s.decide(says(98, 1.0))
    assert [f.reason for f in s.walk(98, 98)] == [TradeReason.ENTRY]


def test_only_allowed_sides_are_opened() -> None:
    s = scene(direction=Direction.LONG)
    s.decide(says(100, -1.0))
    assert s.walk(100, 100) == []
    s.decide(says(100, 0.3))
    s.walk(100, 100)
    s.decide(says(100, -0.3))
    assert [f.reason for f in s.walk(100, 100)] == [TradeReason.CLEAR]


def test_a_limit_goes_to_the_orders_of_its_decision_alone() -> None:
    s = scene()
    s.decide(says(100, 1.0, limit=99.0))
    p = s.engine._positions[0]
    assert (p[Position.OPEN_LIMIT], p[Position.CLOSE_LIMIT], p[Position.LIMIT]) == (99.0, 0.0, 0.0)


def test_a_method_that_fails_stops_the_account_with_a_sentence() -> None:
    @kernel
    def outside(params, memory, row, position, out):
        out[0] = row[int(memory[0])]
        memory[0] += 1

    s = Scene(
        AccountEngine(
            {"USDT": AssetSetup(10_000)},
            [PositionSetup("XUSDT", "a", "t")],
            [ANALYSIS],
            [TradeConfiguration("t", method=UserMethod("OUT"))],
            [instrument()],
            FREE,
            {"OUT": TradeMethod("OUT", Nothing, lambda _: ("KLINE.0.open",), outside, lambda _: np.empty(0), 1)},
        )
    )
    s.decide(np.append(row(100), 0.0))
    with pytest.raises(Refused, match="the method OUT failed at a decision on XUSDT"):
        s.decide(np.append(row(100), 0.0))


def test_rows_without_the_columns_of_a_method_are_refused() -> None:
    s = scene()
    rows = np.zeros((1, 1))
    one = np.full((1, 1), 100.0)
    with pytest.raises(Invalid, match=r"rows: 1 is not allowed; allowed: at least 16 numbers"):
        s.engine.run(MinuteGrid(0, one, one, one, one, rows, np.zeros((1, 1), np.int64)))


# --- files ----------------------------------------------------------------------------------------------------

HEAD = """
import msgspec
import numba
import numpy as np
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod

class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: int = 0

COLUMNS = ("EMA.1.value", "4h.EMA.1.value")
"""
TAIL = """
def register(registry):
    registry.register(TradeMethod(
        name="MINE", parameters=Line, columns=lambda line: COLUMNS, pack=lambda line: np.array([line.level], np.float64),
        decide=decide, memory=2))
"""
GOOD = """
@kernel
def decide(params, memory, row, position, out):
    out[Answer.TARGET] = np.sign(row[0] - row[1])
"""


def written(folder: Path, body: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(HEAD + textwrap.dedent(body) + TAIL)
    return path


def files(folder: Path) -> UserIndicators:
    return UserIndicators([folder], None, lambda path: examine_here(path, check_method))


def refusal(folder: Path, body: str) -> str:
    written(folder, body)
    (report,) = files(folder).refresh()
    assert not report.passed and report.names == ()
    assert report.sentence.startswith("mine.py: ") and "\n" not in report.sentence
    return report.sentence


PEEKS = """
SEEN = []

def noted(value):
    SEEN.append(value)
    later = [other for at, other in enumerate(SEEN[:-1]) if at and SEEN[at - 1] == value]
    return float(later[0] > value) if later else 0.0

@numba.njit
def decide(params, memory, row, position, out):
    with numba.objmode(rises="float64"):
        rises = noted(position[Held.CLOSE])
    out[Answer.TARGET] = rises
"""
COUNTS = """
COUNT = []

def count():
    COUNT.append(1)
    return float(len(COUNT) % 3 - 1)

@numba.njit
def decide(params, memory, row, position, out):
    with numba.objmode(turn="float64"):
        turn = count()
    out[Answer.TARGET] = turn
"""
RANDOM = """
@kernel
def decide(params, memory, row, position, out):
    out[Answer.TARGET] = np.random.random()
"""
GLOBAL_ARRAY = """
LAST = np.zeros(1)

@kernel
def decide(params, memory, row, position, out):
    LAST[0] = row[0]
    out[Answer.TARGET] = 0.0
"""
HELPER_OUTSIDE = """
@kernel
def last_of(row):
    return row[len(row) + 5]

@kernel
def decide(params, memory, row, position, out):
    out[Answer.TARGET] = 0.0 * last_of(row)
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (PEEKS, "keeps something outside of its memory, or looks ahead through that"),
        (COUNTS, "keeps something outside of its memory"),
        (RANDOM, "it is random"),
        (GLOBAL_ARRAY, "writes into what it may only read: params, row, position or an array"),
        (GOOD.replace("out[Answer.TARGET]", "row[0]"), "writes into what it may only read: params, row, position or an array"),
        (GOOD.replace("row[1]", "row['x']"), "does not compile"),
        (GOOD.replace("row[1]", "row[2]"), "fails with IndexError"),
        (GOOD.replace("row[1]", "memory[2]"), "fails with IndexError"),
        (HELPER_OUTSIDE, "fails with IndexError"),
        (GOOD.replace("np.sign", "2.0 * np.sign"), "answers an exposure of -?2; allowed: −1 … 1, or NaN"),
        (GOOD.replace("np.sign(", "(1.0 / (row[0] * 0.0)) * ("), "answers an exposure of -?inf"),
        (GOOD + "    out[Answer.STOP] = -1.0\n", "answers a stop price of -1; allowed: 0 or more"),
        (GOOD + "    out[Answer.LIMIT] = np.inf\n", "answers a limit price of inf"),
        (GOOD.replace("@kernel", ""), "not compiled: write @kernel above it"),
        (GOOD + "\nCOLUMNS = ('EMA',)\n", r"column: 'EMA' is not allowed; allowed: a name like \"EMA.1.value\""),
        (GOOD + "\nCOLUMNS = ('7m.EMA.1.value',)\n", "column: '7m.EMA.1.value' is not allowed"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_one_sentence(tmp_path: Path, body: str, words: str) -> None:
    sentence = refusal(tmp_path, body)
    assert "MINE" in sentence
    assert re.search(words, sentence), sentence


def test_a_refused_version_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    users = files(tmp_path)
    assert [report.names for report in users.refresh()] == [("MINE",)]
    old = users.registry().methods["MINE"]
    assert len(old.version) == 16
    written(tmp_path, RANDOM + "\n# longer\n")
    (report,) = users.refresh()
    assert (report.passed, report.names) == (False, ("MINE",))
    assert users.registry().methods["MINE"] is old
    assert users.outdated() == {"MINE": report.sentence}
    written(tmp_path, GOOD + "\n# better\n")
    assert users.refresh()[0].passed
    assert users.registry().methods["MINE"].version != old.version
    assert users.outdated() == {}


def test_examples_pass_in_a_process_of_their_own() -> None:
    for name in ("example_trend", "example_reversion", "example_intervals"):
        assert examine_apart(EXAMPLES / f"{name}.py").sentence == ""


def test_parameters_and_names_are_checked_against_what_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    users = UserIndicators([EXAMPLES], None, lambda _path: Verdict(True))
    users.refresh()
    monkeypatch.setattr(installed, "_users", users)

    def build(**method: Any) -> AccountEngine:
        return AccountEngine(
            {"USDT": AssetSetup(10_000)},
            [PositionSetup("XUSDT", "a", "t")],
            [ANALYSIS],
            [TradeConfiguration("t", method=UserMethod(**method))],
            [instrument()],
            FREE,
        )

    with pytest.raises(
        Invalid, match=r"trade\.method\.name: 'TRENT' .*INTERVALS, REVERSION, TREND \(did you mean TREND"
    ):
        build(name="TRENT")
    with pytest.raises(Problems) as found:
        build(name="TREND", parameters={"band": 0.9, "trial": 0.1})
    assert [each.field for each in found.value.found] == [
        "trade.method.parameters.band",
        "trade.method.parameters.trial",
    ]
    assert "did you mean trail?" in str(found.value)
    with pytest.raises(
        Invalid, match=r"analysis column of TREND: '15m\.EMA\.1\.value' .* a column of a, which t trades on"
    ):
        build(name="TREND")


def test_a_state_of_another_version_keeps_the_position_and_forgets_the_rest() -> None:
    s = scene()
    s.decide(says(100, 1.0, stop=95.0))
    s.walk(100, 101)
    assert s.engine.forget({"OBEY": OBEY.version}) == ()
    assert remembered(s)[0] == 1.0
    assert s.engine.forget({"OBEY": "another"}) == ("XUSDT",)
    assert not remembered(s).any()
    assert s.engine.snapshot().positions[0].stop_price == 95.0


def test_a_method_of_every_minute_is_examined_at_every_minute(tmp_path: Path) -> None:
    tail = TAIL.replace("memory=2", "memory=2, every_minute=True")
    (tmp_path / "mine.py").write_text(HEAD + GOOD + tail)
    (report,) = files(tmp_path).refresh()
    assert report.passed
    late = GOOD + "    if position[Held.ELAPSED] < 0.3:\n        out[Answer.TARGET] = 2.0\n"
    (tmp_path / "mine.py").write_text(HEAD + late + tail)
    (report,) = files(tmp_path).refresh()
    assert "answers an exposure of 2" in report.sentence
    (tmp_path / "mine.py").write_text(HEAD + late + TAIL)  # at closes alone it never does that
    (report,) = files(tmp_path).refresh()
    assert report.passed
    (tmp_path / "mine.py").write_text(HEAD + GOOD + TAIL.replace("memory=2", "every_minute=5"))
    (report,) = files(tmp_path).refresh()
    assert "every_minute of MINE: 5 is not allowed; allowed: True or False" in report.sentence


def test_report_names_methods(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (report,) = files(tmp_path).refresh()
    assert report == Report(tmp_path / "mine.py", ("MINE",), True)


def test_answer_and_held_are_what_the_documents_say() -> None:
    text = (EXAMPLES.parent / "docs" / "plugins.md").read_text()
    for field in (*Held._fields, *Answer._fields):
        assert f"`{field}`" in text, field


def test_the_method_of_the_documents_is_a_whole_file(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "docs" / "plugins.md").read_text()
    (block,) = [each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "TradeMethod[Cross](" in each]
    (tmp_path / "cross.py").write_text(block)
    (report,) = files(tmp_path).refresh()
    assert (report.names, report.sentence) == (("CROSS",), "")
