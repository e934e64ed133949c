import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from atm.ipc.shared_array import MOST_WAITING, ArrayReference, SharedArrays, program_id, sweep, take
from atm.model.errors import Invalid, Unavailable

ROOT = Path(__file__).parent.parent.parent
SYSTEM = Path("/dev/shm")


@pytest.fixture
def program(home: Path):
    name = program_id(home)
    yield name
    assert not left(name)


def left(program: str) -> list[str]:
    return sorted(path.name for path in SYSTEM.glob(f"atm-{program}-*"))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.arange(5, dtype=np.int64),
        np.array([True, False]),
        np.empty((0, 3)),
        np.arange(9.0)[::2],
    ],
    ids=["matrix", "integers", "flags", "empty", "strided"],
)
def test_an_array_arrives_as_it_was_and_read_only(program, array) -> None:
    reference = SharedArrays(program, "data").share(array)
    reference = msgspec.msgpack.decode(msgspec.msgpack.encode(reference), type=ArrayReference)
    taken = take(reference)
    np.testing.assert_array_equal(taken, array)
    assert taken.dtype == array.dtype
    assert not taken.flags.writeable
    with pytest.raises(Unavailable, match="not there any more"):
        take(reference)


def test_the_memory_lives_as_long_as_a_view_and_no_longer(program) -> None:
    taken = take(SharedArrays(program, "data").share(np.arange(1_000_000.0)))
    view = taken[10:20]
    del taken
    gc.collect()
    assert view.sum() == sum(range(10, 20))
    mapped = [m for m in psutil.Process().memory_maps(grouped=False) if f"atm-{program}" in m.path]
    assert len(mapped) == 1
    del view
    gc.collect()
    assert not [m for m in psutil.Process().memory_maps(grouped=False) if f"atm-{program}" in m.path]


def test_what_nobody_takes_is_withdrawn(program) -> None:
    arrays = SharedArrays(program, "data")
    references = [arrays.share(np.arange(3)) for _ in range(MOST_WAITING + 3)]
    assert len(left(program)) == MOST_WAITING
    with pytest.raises(Unavailable):
        take(references[0])
    arrays.close()
    assert left(program) == []


def test_only_numbers_are_shared(program) -> None:
    with pytest.raises(Invalid, match="dtype"):
        SharedArrays(program, "data").share(np.array([object()]))


def test_a_sweep_concerns_one_owner_of_one_program(program, tmp_path) -> None:
    other = program_id(tmp_path)
    names = [(program, "analyzer-0"), (program, "analyzer-1"), (other, "analyzer-0")]
    makers = [SharedArrays(*name) for name in names]
    for maker in makers:
        maker.share(np.arange(3))
    assert sweep(program, "analyzer-0") == 1
    assert len(left(program)) == len(left(other)) == 1
    assert sweep(program) == sweep(other) == 1


def make(pipe: Connection, program: str) -> None:
    arrays = SharedArrays(program, "maker")
    while pipe.recv() == "share":
        pipe.send(arrays.share(np.arange(100_000.0)))


def read(pipe: Connection) -> None:
    kept = []
    while (reference := pipe.recv()) is not None:
        kept.append(take(reference))
        pipe.send(float(kept[-1].sum()))


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_either_side_may_be_killed(program, method) -> None:
    context = multiprocessing.get_context(method)
    to_maker, of_maker = context.Pipe()
    to_reader, of_reader = context.Pipe()
    maker = context.Process(target=make, args=(of_maker, program))
    reader = context.Process(target=read, args=(of_reader,))
    for process in (maker, reader):
        process.start()
    references = []
    for _ in range(3):
        to_maker.send("share")
        references.append(to_maker.recv())
    to_reader.send(references[0])
    assert to_reader.recv() == sum(range(100_000))
    os.kill(reader.pid or 0, signal.SIGKILL)
    reader.join()
    assert len(left(program)) == 2
    os.kill(maker.pid or 0, signal.SIGKILL)
    maker.join()
    # what was made outlives its maker until it is taken or swept
    assert take(references[1]).sum() == sum(range(100_000))
    assert sweep(program, "maker") == 1
    with pytest.raises(Unavailable):
        take(references[2])


def test_the_resource_tracker_has_nothing_to_complain_about(program, home) -> None:
    code = f"""
import multiprocessing, numpy, os
from pathlib import Path
from atm.ipc.shared_array import *
from tests.ipc.test_shared_array import make
if __name__ == "__main__":
    program = {program!r}
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe()
    maker = context.Process(target=make, args=(there, program))
    maker.start()
    here.send("share"); taken = take(here.recv())
    here.send("share"); here.recv()
    here.send("end"); maker.join()
    mine = SharedArrays(program, "main"); mine.share(taken); mine.close()
    print(sweep(program))
"""
    script = home / "script.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "1", "")
