"""What the market store takes of the disk, and when there is too little left."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.model.data_job import KindUse
from atm.storage.disk_use import disk_use, level

GB = 1 << 30


def test_bytes_are_told_by_symbol_and_kind(tmp_path: Path) -> None:
    for name, size in (("X/klines_1m/2023-08.parquet", 700), ("X/klines_1m/tail.log", 50), ("Y/flow_1m/tail-2.log", 9)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * size)
    (tmp_path / "X" / "klines_1m" / "commit").mkdir()
    found = disk_use(tmp_path)
    assert found.uses == (KindUse("X", "klines_1m", 750), KindUse("Y", "flow_1m", 9))
    assert 0 < found.free <= found.total


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (3 * GB, 1_000 * GB, "ok"),
        (GB, 1_000 * GB, "low"),
        (GB, 15 * GB, "ok"),
        (GB // 4, 1_000 * GB, "critical"),
        (GB // 4, 15 * GB, "low"),
        (0, 15 * GB, "critical"),
    ],
)
def test_the_level_goes_by_bytes_and_on_a_small_disk_by_the_share(free: int, total: int, expected: str) -> None:
    assert level(free, total) == expected
