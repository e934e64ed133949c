"""The page: well-formed, self-contained, in both languages, and drawn from the numbers it claims to show."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from atm.gui.texts import LANGUAGES, Texts
from atm.model.interval import parse_time
from atm.simulators.tear_sheet import charts
from atm.simulators.tear_sheet.page import tear_sheet
from tests.gui.filled import ASSETS
from tests.simulators.test_summary import ROUND, SPEC, START, concluded

EQUITY = np.concatenate((np.linspace(1_000, 1_300, 30_000), np.linspace(1_300, 900, 40 * 1440 - 30_000)))
TIME = START + 60_000 * np.arange(1, len(EQUITY) + 1)
SUMMARY, DETAILS = concluded(ROUND, EQUITY)
VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Every tag is closed in its turn; collects names and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [name for name, _ in attrs if name in ("src", "href", "xlink:href") or name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(language: str = "en", **changes: object) -> str:
    summary = msgspec.structs.replace(SUMMARY, **changes)
    return tear_sheet(SPEC, summary, DETAILS, TIME, EQUITY, Texts(ASSETS / "texts", language), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(language: str) -> None:
    html = page(language)
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert not {"script", "link", "img", "iframe"} & set(checker.tags)
    assert checker.links == []
    assert not re.search(r"https?:|url\(|@import", html)
    assert checker.tags.count("svg") == 3
    assert len(html) < 300_000
    assert not re.search(r"\bnan\b|\binf\b", html)
    assert not re.search(r">(tear_sheet|statistic|statistic_group|finding|severity)\.", html)  # every text was found
    assert ("순이익" in html) == (language == "ko")


def test_it_shows_the_figures_and_findings_of_the_result() -> None:
    html = page()
    assert "-100.00" in html  # net profit
    assert SUMMARY.trade_hash in html
    assert html.count("<li>") == len(SUMMARY.findings)
    assert SUMMARY.statistics is not None
    for month in SUMMARY.statistics.months:
        assert f">{month.value * 100:+.1f}<" in html


def test_names_are_escaped() -> None:
    html = page(code="<script>alert(1)</script>")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_result_of_an_earlier_version_has_no_page() -> None:
    with pytest.raises(ValueError, match="no statistics"):
        page(statistics=None)


def test_a_curve_runs_from_its_first_to_its_last_value_inside_the_frame() -> None:
    time, values = np.arange(0, 100) * 86_400_000, np.linspace(5, 7, 100)
    svg = ElementTree.fromstring(charts.line_chart(time, values, None, str, "t"))
    (path,) = [each for each in svg if each.tag == "path"]
    points = np.array([point.split() for point in path.attrib["d"][1:].split("L")], float)
    assert len(points) == 100
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) < 0).all()  # upwards
    assert points.min() > 0
    assert points[:, 0].max() < 1_000
    assert points[:, 1].max() < 300


def test_a_histogram_counts_every_value_and_splits_at_zero() -> None:
    values = np.concatenate((np.full(30, -5.0), np.full(60, 10.0), [1e6]))
    svg = ElementTree.fromstring(charts.histogram(values, str, "t"))
    bars = [each for each in svg if each.tag == "rect"]
    heights = {each.attrib["class"]: float(each.attrib["height"]) for each in bars}
    assert set(heights) == {"loss", "gain"}
    gains = sum(float(each.attrib["height"]) for each in bars if each.attrib["class"] == "gain")
    assert gains / heights["loss"] == pytest.approx(61 / 30, rel=0.01)
    assert charts.histogram(np.array([3.0]), str, "t")  # one value is enough
    assert charts.histogram(np.zeros(4), str, "t")


@pytest.mark.parametrize(
    ("start", "end", "labels"),
    [
        ("2023-08-01", "2023-08-04", ["1 Aug", "2 Aug", "3 Aug", "4 Aug"]),
        ("2023-08-01 05:00", "2023-08-20", ["2 Aug", "4 Aug"]),
        ("2023-01-15", "2023-07-15", ["2023-02", "2023-03", "2023-04", "2023-05", "2023-06", "2023-07"]),
        ("2018-03-01", "2024-02-01", ["2019", "2020", "2021", "2022", "2023", "2024"]),
    ],
)
def test_moments_on_the_time_axis(start: str, end: str, labels: list[str]) -> None:
    found = [label for _, label in charts.time_ticks(parse_time(start), parse_time(end))]
    assert found[: len(labels)] == labels or len(found) <= 9
    assert len(found) <= 13
    assert found[0] == labels[0]


def test_round_values_on_an_axis() -> None:
    assert charts.ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert charts.ticks(-0.35, 0) == pytest.approx([-0.3, -0.2, -0.1, 0])
    assert charts.ticks(5, 5) == [5]
