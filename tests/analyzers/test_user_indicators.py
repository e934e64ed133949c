"""Users' indicators: a good file works everywhere, a bad one is refused with one sentence and changes nothing."""

from __future__ import annotations

import os
import textwrap
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_allclose

from atm.analyzers import AnalysisPipeline, installed
from atm.analyzers.builtin import built_in
from atm.analyzers.checker import Verdict, check
from atm.analyzers.configuration_check import parse_configuration
from atm.analyzers.examine import examine_apart
from atm.analyzers.user_indicators import UserIndicators, examine_here
from atm.analyzers.warm_up import EVERYTHING
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid, Problems
from tests.analyzers.market import minutes

EXAMPLES = Path(__file__).parent.parent.parent / "strategies"

HEAD = """
import msgspec
import numba
import numpy as np
from atm.analyzers import Indicator
from atm.model.kernel import kernel

class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    window: int = 5

def fresh(params):
    return np.full(1, np.nan)
"""

TAIL = """
def register(registry):
    registry.register(Indicator(
        name="MINE", fields=("value",), parameters=Line, pack=lambda line: np.array([line.window], np.float64),
        state=fresh, advance=advance, warm_up=lambda line: {warm_up}, settle=lambda line: {settle}))
"""

KERNEL = """
@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        out[0, i] = {}
"""


def source(body: str = "", expression: str = "values[3, i]", warm_up: int = 1, settle: int = 1) -> str:
    return HEAD + (textwrap.dedent(body) or KERNEL.format(expression)) + TAIL.format(warm_up=warm_up, settle=settle)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "strategies").mkdir()
    return tmp_path / "strategies"


def refusal(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(text)
    (report,) = UserIndicators([folder]).refresh()
    assert not report.passed
    assert report.names == ()
    assert report.sentence.startswith("mine.py: ")
    assert "\n" not in report.sentence
    return report.sentence


STATEFUL = """
COUNT = []

def bump():
    COUNT.append(1)
    return float(len(COUNT))

@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        with numba.objmode(seen="float64"):
            seen = bump()
        out[0, i] = values[3, i] + seen
"""

AVERAGE_FROM_THE_START = """
def fresh(params):
    return np.zeros(2)

@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        if values[3, i] == values[3, i]:
            state[0] += values[3, i]
            state[1] += 1.0
        out[0, i] = state[0] / state[1]
"""

ONLY_SOME = """
@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        if values[3, i] > 100.0:
            out[0, i] = values[3, i]
"""

WRITES_BARS = """
@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        out[0, i] = values[3, i]
        values[3, i] = 0.0
"""

WINDOW_OF_THE_PIECE = """
@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        out[0, i] = values[3, max(i - 3, 0)]
"""

PLAIN_PYTHON = """
def advance(params, state, values, start, stop, out):
    out[0, start:stop] = values[3, start:stop]
"""

GLOBAL_ARRAY = """
SEEN = np.zeros(1)

@numba.njit
def advance(params, state, values, start, stop, out):
    for i in range(start, stop):
        SEEN[0] += 1.0
        out[0, i] = SEEN[0]
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def register(registry)\n    pass", "line 1: expected ':'"),
        ("import nothing_like_this", "ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("x = 1", "no function register(registry)"),
        ("def register(registry): pass", "registers nothing"),
        (source().replace('name="MINE"', 'name="SMA"'), "'SMA' is not allowed"),
        (source().replace('name="MINE"', 'name="my-own"'), "'my-own' is not allowed"),
        (source().replace("parameters=Line, ", ""), "parameters of MINE"),
        (source().replace("advance=advance, ", ""), "missing 1 required positional argument: 'advance'"),
        (source(PLAIN_PYTHON), "not compiled: write @kernel above it"),
        (source(expression="values[3, i].lower()"), "does not compile"),
        (source(GLOBAL_ARRAY), "does not compile"),
        (source(expression="values[3, min(i + 1, values.shape[1] - 1)]"), "looks ahead"),
        (source(expression="values[3, i + 1]"), "outside of its arrays"),
        (source(expression="values[3, i - 1]"), "looks ahead"),
        (source(expression="values[3, :].mean()"), "looks ahead"),
        (source(WINDOW_OF_THE_PIECE), "come in pieces than at once"),
        (source(expression="values[3, i] + np.random.random()"), "it is random, or keeps something outside"),
        (source(STATEFUL), "keeps something outside of its state array"),
        (source(ONLY_SOME), "does not write every column of `out`"),
        (source(WRITES_BARS), "changes its parameters or the bars"),
        (source(AVERAGE_FROM_THE_START, settle=50), "start is forgotten after 50 bars, but value still depends"),
        (source().replace("np.full(1, np.nan)", "[1.0]"), "float64 array from state, not list"),
        (source().replace("window: int = 5", "window: int"), "TypeError"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_one_sentence(folder, text, words):
    assert words in refusal(folder, text)


def test_a_warm_up_that_is_declared_too_short_is_found(folder):
    lagged = (
        (EXAMPLES / "example_indicator.py")
        .read_text()
        .replace("warm_up=lambda line: line.window + 1", "warm_up=lambda line: line.window")
    )
    assert "declares a warm-up of 12 bars, but value begins at bar 13" in refusal(folder, lagged)


def test_a_mistake_that_only_the_smallest_window_shows_is_found(folder):
    text = (EXAMPLES / "example_indicator.py").read_text()
    wrong = text.replace("warm_up=lambda line: line.window + 1", "warm_up=lambda line: line.window + (line.window > 1)")
    assert "declares a warm-up of 1 bars, but value begins at bar 2" in refusal(folder, wrong)


def test_parameters_that_a_file_cannot_use_are_a_problem_of_the_configuration(folder):
    text = source().replace("np.array([line.window], np.float64)", "np.array([1 // (line.window - 7)], np.float64)")
    (folder / "mine.py").write_text(text)
    users = UserIndicators([folder])
    assert users.refresh()[0].passed
    with pytest.raises(Invalid) as caught:
        parse_configuration({"code": "x", "intervals": [{"user": {"MINE": [{}, {"window": 7}]}}]}, users.registry())
    assert caught.value.field == "intervals[0].user.MINE[1]"
    assert "ZeroDivisionError" in str(caught.value)


def test_the_example_passes_and_gives_the_rate_of_change():
    users = UserIndicators([EXAMPLES])
    (report,) = [report for report in users.refresh() if report.path.stem == "example_indicator"]
    assert (report.names, report.passed, report.sentence) == (("ROC",), True, "")
    raw = {"code": "x", "intervals": [{"interval": "5m", "user": {"ROC": [{"window": 3}, {}]}}]}
    configuration = parse_configuration(raw, users.registry())
    table = AnalysisPipeline(configuration, users.registry()).run(minutes(400))
    close = table.column("5m.KLINE.0.close")
    assert_allclose(table.column("5m.ROC.1.value")[3:], close[3:] / close[:-3] - 1, rtol=1e-14)
    assert np.isnan(table.column("5m.ROC.1.value")[:3]).all()
    assert_allclose(table.column("5m.ROC.2.value")[12:], close[12:] / close[:-12] - 1, rtol=1e-14)


@pytest.mark.parametrize("indicator", list(built_in()), ids=lambda indicator: indicator.name)
def test_every_built_in_indicator_keeps_its_promises(indicator):
    verdict = check(indicator, EVERYTHING.intervals[0])
    assert verdict.passed, verdict.sentence


def test_the_file_in_the_documentation_passes(folder):
    text = (EXAMPLES.parent / "docs" / "plugins.md").read_text()
    (folder / "typical.py").write_text(text.split("```python\n")[1].split("```")[0])
    users = UserIndicators([folder])
    (report,) = users.refresh()
    assert report.passed, report.sentence
    raw = tomllib.loads('code = "x"\n' + text.split("```toml\n")[1].split("```")[0])
    table = AnalysisPipeline(parse_configuration(raw, users.registry()), users.registry()).run(minutes(60))
    _, high, low, close = table.values[:4]
    assert_allclose(table.column("15m.TYPICAL.2.value"), (high + low + 2 * close) / 4)


def test_a_changed_file_is_loaded_when_asked_and_a_bad_change_leaves_the_old_version(folder):
    path = folder / "mine.py"
    users = UserIndicators([folder])
    assert users.refresh() == ()
    path.write_text(source())
    assert [report.names for report in users.refresh()] == [("MINE",)]
    first = users.registry()["MINE"]
    assert users.refresh() == ()
    path.write_text(source(expression="values[3, i] * params[0]"))
    users.refresh()
    second = users.registry()["MINE"]
    assert second.version != first.version
    path.write_text(source(expression="values[3, i + 1]"))
    (report,) = users.refresh()
    assert (report.names, report.passed) == (("MINE",), False)
    assert users.registry()["MINE"] is second
    path.unlink()
    users.refresh()
    assert "MINE" not in users.registry()


def test_the_first_file_keeps_a_name_that_a_second_one_wants(folder):
    (folder / "a.py").write_text(source())
    (folder / "b.py").write_text(source(expression="values[0, i]"))
    first, second = UserIndicators([folder]).refresh()
    assert first.passed
    assert "b.py: indicator name: 'MINE' is not allowed" in second.sentence


def test_an_examined_file_is_not_examined_again(folder):
    verdicts = folder.parent / "cache" / "verdicts.json"
    (folder / "mine.py").write_text(source())
    (folder / "worse.py").write_text(source(expression="values[3, i - 1]").replace("MINE", "WORSE"))
    before = UserIndicators([folder], verdicts).refresh()
    examined = []
    assert UserIndicators([folder], verdicts, examined.append).refresh() == before  # type: ignore[arg-type]
    assert not examined
    verdicts.write_bytes(b"{")
    assert UserIndicators([folder], verdicts).refresh() == before


def test_a_file_that_hangs_or_kills_its_process_is_refused(folder):
    (folder / "hangs.py").write_text("while True: pass")
    (folder / "kills.py").write_text("import os; os._exit(3)")
    assert "longer than 4 s" in examine_apart(folder / "hangs.py", 4.0).sentence
    assert "exit code 3" in examine_apart(folder / "kills.py").sentence


def test_examining_apart_gives_the_same_verdicts(folder):
    (folder / "mine.py").write_text("print('hello')\n" + source(expression="values[3, i - 1]"))
    assert examine_apart(EXAMPLES / "example_indicator.py") == Verdict(True)
    assert examine_apart(folder / "mine.py") == examine_here(folder / "mine.py")


def test_everything_wrong_in_a_users_lines_is_named():
    users = UserIndicators([EXAMPLES])
    users.refresh()
    raw = {"code": "x", "intervals": [{"user": {"ROC": [{"window": 0}, {"widow": 3}], "RAC": [{}]}}]}
    with pytest.raises(Problems) as caught:
        parse_configuration(raw, users.registry())
    fields = [problem.field for problem in caught.value.found]
    assert fields == ["intervals[0].user.RAC", "intervals[0].user.ROC[0].window", "intervals[0].user.ROC[1].widow"]
    assert "did you mean window?" in str(caught.value)


def test_a_process_finds_them_by_configuration_and_old_states_of_another_version_are_void(folder, monkeypatch):
    monkeypatch.setattr(installed, "_users", UserIndicators(()))
    configuration = AnalysisConfiguration.of_one("x", user={"MINE": ({},)})
    plain = AnalysisConfiguration.of_one("x")
    installed.install([folder])
    (folder / "mine.py").write_text("this is no python")
    AnalysisPipeline(plain)
    assert installed._users.reports == ()
    (report,) = installed.reports()
    assert not report.passed
    (folder / "mine.py").write_text(source())
    pipeline = AnalysisPipeline(configuration)
    assert pipeline.columns[-4:] != AnalysisPipeline(plain).columns[-4:]
    assert "15m.MINE.1.value" in pipeline.columns
    state = pipeline.dump()
    AnalysisPipeline(configuration).load(state)
    (folder / "mine.py").write_text(source(expression="values[0, i]"))
    os.utime(folder / "mine.py", (1, 1))
    with pytest.raises(Invalid, match="same configuration and version"):
        AnalysisPipeline(configuration).load(state)
    assert msgspec.json.decode(msgspec.json.encode(configuration), type=AnalysisConfiguration) == configuration
