"""What of a window is drawn: nothing when nothing has changed, a part when a part has, and then the picture is the whole one."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.gui.damage import MOST_PARTS, Area, DrawnList, changed_areas
from atm.gui.ui import PageName
from tests.gui.render import Rendered

WINDOW = Area(0, 0, 1600, 900)
BAR = DrawnList("bar", 1, Area(0, 868, 1600, 900))
CARD = DrawnList("card", 2, Area(300, 100, 700, 400))
TIP = DrawnList("tip", 3, Area(650, 350, 800, 420))


def test_equal_frames_change_nothing() -> None:
    assert changed_areas([BAR, CARD], [BAR, CARD], WINDOW) == []


def test_a_list_that_draws_something_else_changes_its_own_area_before_and_after() -> None:
    moved = DrawnList("card", 9, Area(320, 100, 720, 400))
    assert changed_areas([BAR, CARD], [BAR, moved], WINDOW) == [Area(300, 100, 720, 400)]
    ticked = DrawnList("bar", 8, BAR.area)
    assert changed_areas([BAR, CARD], [ticked, moved], WINDOW) == [BAR.area, Area(300, 100, 720, 400)]


def test_a_list_that_comes_or_goes_changes_what_it_covers() -> None:
    assert changed_areas([BAR, CARD], [BAR, CARD, TIP], WINDOW) == [TIP.area]
    assert changed_areas([BAR, CARD, TIP], [BAR, CARD], WINDOW) == [TIP.area]


def test_another_order_is_drawn_whole() -> None:
    assert changed_areas([BAR, CARD, TIP], [BAR, TIP, CARD], WINDOW) == [WINDOW]


areas = st.builds(
    lambda x, y, w, h: Area(x, y, x + w, y + h),
    st.integers(0, 1500), st.integers(0, 800), st.integers(1, 100), st.integers(1, 100),
)  # fmt: skip


@given(st.lists(areas, min_size=1, max_size=8))
def test_every_changed_pixel_lies_in_a_part_and_parts_are_few_and_apart(places: list[Area]) -> None:
    before = [DrawnList(str(number), 0, place) for number, place in enumerate(places)]
    now = [DrawnList(str(number), 1, place) for number, place in enumerate(places)]
    parts = changed_areas(before, now, WINDOW)
    assert 1 <= len(parts) <= MOST_PARTS
    for place in places:
        assert any(part.with_(place) == part for part in parts)
    assert not any(one is not other and one.meets(other) for one in parts for other in parts)


@pytest.mark.window
def test_a_partial_drawing_is_the_picture_of_a_whole_one(display: str) -> None:
    rendered = Rendered((1600, 900))
    try:
        rendered.show(PageName.DASHBOARD, 4)
        rendered.ui.now_ms += 61_000  # the clock ticks, ages change
        partly = rendered.show(PageName.DASHBOARD, 2)
        rendered.window._damage.forget()
        whole = rendered.show(PageName.DASHBOARD, 1)
        assert partly.get_buffer().raw == whole.get_buffer().raw
        paint_red()
        rendered.ui.now_ms += 1_000
        ticked = rendered.show(PageName.DASHBOARD, 1)
        assert ticked.get_at((800, 300))[:3] == (255, 0, 0), "nothing but the status bar was drawn"
        assert ticked.get_at((800, 885))[:3] != (255, 0, 0)
    finally:
        rendered.window.close()


def paint_red() -> None:
    gl = ctypes.CDLL("libGL.so.1")
    gl.glClearColor(*(ctypes.c_float(part) for part in (1.0, 0.0, 0.0, 1.0)))
    gl.glClear(0x4000)
