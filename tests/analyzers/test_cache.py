from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from atm.analyzers import AnalysisPipeline, cache
from atm.analyzers.cache import AnalysisCache
from atm.model.fingerprint import fingerprint
from tests.analyzers.market import SMALL, START_MS, changed, minutes, of_matrix

LIMIT = 10_000_000


@pytest.fixture
def computed(monkeypatch):
    """Counts the bars that pipelines were given."""
    fed = []
    run = AnalysisPipeline.run
    monkeypatch.setattr(AnalysisPipeline, "run", lambda self, bars: fed.append(len(bars)) or run(self, bars))
    return fed


def test_a_second_time_nothing_is_computed_and_the_bits_are_the_same(tmp_path, computed):
    bars = minutes(2_000, missing=0.1)
    one, other = AnalysisCache(tmp_path / "made", LIMIT), AnalysisCache(tmp_path / "made", LIMIT)
    first, second = one.table(SMALL, bars), other.table(SMALL, bars)
    assert computed == [2_000]
    assert second.columns == first.columns
    assert second.interval is first.interval
    for name in ("open_time", "close_time", "values"):
        assert_array_equal(getattr(second, name), getattr(first, name))
    assert not [path for path in (tmp_path / "made").iterdir() if path.suffix != cache.ENDING]


def test_whatever_results_depend_on_leads_to_another_file(tmp_path, computed, monkeypatch):
    bars = minutes(500)
    store = AnalysisCache(tmp_path, LIMIT)
    values = bars.values.copy()
    values[4, 250] = np.nextafter(values[4, 250], 0)
    later = of_matrix(bars.values, START_MS + 300_000)
    other_flow = minutes(500)
    other_flow.flow[0, 250] = np.nextafter(other_flow.flow[0, 250], 0)
    for configuration, given, begin in (
        (SMALL, bars, None), (SMALL, of_matrix(values), None), (SMALL, later, None), (SMALL, bars, START_MS - 60_000),
        (SMALL, bars.slice(0, 499), None), (changed(SMALL, swing_range=0.1), bars, None),
        (SMALL, other_flow, None), (changed(SMALL, woi=()), bars, None), (changed(SMALL, woi=()), other_flow, None),
    ):  # fmt: skip
        store.table(configuration, given, begin)
    monkeypatch.setattr(cache, "program_version", lambda: "another")
    store.table(SMALL, bars)
    assert len(computed) == len(list(tmp_path.iterdir())) == 9  # without WOI the flow is not read
    store.table(changed(SMALL), bars)
    assert len(computed) == 9


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "foreign", "header"])
def test_a_broken_file_is_computed_again(tmp_path, computed, harm):
    bars = minutes(500)
    store = AnalysisCache(tmp_path, LIMIT)
    expected = store.table(SMALL, bars)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
    elif harm == "header":
        data[8:16] = (2**60).to_bytes(8, "little")
    path.write_bytes({"cut": data[:-9], "empty": b"", "foreign": b"x" * 999}.get(harm, bytes(data)))
    assert_array_equal(store.table(SMALL, bars).values, expected.values)
    assert len(computed) == 2
    store.table(SMALL, bars)
    assert len(computed) == 2


def test_the_files_used_longest_ago_make_room(tmp_path, computed):
    bars = minutes(500)
    AnalysisCache(tmp_path, LIMIT).table(SMALL, bars)
    (oldest,) = tmp_path.iterdir()
    size = oldest.stat().st_size
    store = AnalysisCache(tmp_path, int(2.5 * size))
    store.table(changed(SMALL, swing_range=0.1), bars)
    second = next(path for path in tmp_path.iterdir() if path != oldest)
    os.utime(oldest, (1_000, 1_000))
    os.utime(second, (2_000, 2_000))
    store.table(SMALL, bars)  # used again, so it is the newest now
    store.table(changed(SMALL, swing_range=0.2), bars)
    assert oldest.exists()
    assert not second.exists()
    assert len(list(tmp_path.iterdir())) == 2
    AnalysisCache(tmp_path, size // 2).table(changed(SMALL, swing_range=0.3), bars)
    assert len(list(tmp_path.iterdir())) == 2


def test_no_limit_or_no_disk_only_costs_time(tmp_path, computed):
    bars = minutes(500)
    (tmp_path / "file").touch()
    for store in (AnalysisCache(tmp_path / "none", 0), AnalysisCache(tmp_path / "file" / "under", LIMIT)):
        assert len(store.table(SMALL, bars)) == 100
        store.table(SMALL, bars)
    assert computed == [500] * 4
    assert not (tmp_path / "none").exists()


def test_a_fingerprint_knows_every_bit_the_order_and_the_shape():
    array = np.random.default_rng(1).random((9, 101))
    seen = {fingerprint(array), fingerprint(array.T), fingerprint(array, array), fingerprint(array.view(np.int64))}
    flat = array.reshape(-1)
    for at in (0, 1, 2, 3, 7, 500, 907, 908):
        changed_one = flat.copy()
        changed_one[at] = np.nextafter(changed_one[at], 2)
        seen.add(fingerprint(changed_one.reshape(array.shape)))
    swapped = flat.copy()
    swapped[[10, 14]] = swapped[[14, 10]]
    seen.add(fingerprint(swapped.reshape(array.shape)))
    assert len(seen) == 13
    assert fingerprint(array.copy()) == fingerprint(array)
