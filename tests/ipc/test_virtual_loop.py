"""The event loop in virtual time."""

from __future__ import annotations

import asyncio
import time

import pytest

from atm.ipc.virtual_loop import NothingToWaitFor, VirtualRunner

START_MS = 1_700_000_000_000.0


def test_a_day_passes_at_once_and_timers_fire_in_their_order_at_their_time() -> None:
    fired: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float, wall_ms: object) -> None:
        await asyncio.sleep(seconds)
        fired.append((name, runner.wall_ms()))

    async def work() -> None:
        await asyncio.gather(
            *(wait(name, s, None) for name, s in (("day", 86_400.0), ("ms", 0.001), ("hour", 3_600.0)))
        )

    began = time.monotonic()
    with VirtualRunner(START_MS) as runner:
        runner.run(work())
    assert time.monotonic() - began < 5.0
    assert [name for name, _ in fired] == ["ms", "hour", "day"]
    assert [ms for _, ms in fired] == pytest.approx(
        [START_MS + 1, START_MS + 3_600_000, START_MS + 86_400_000], abs=0.01
    )


def test_bytes_on_a_socket_arrive_before_time_goes_on() -> None:
    """A question and its answer over the loopback take no time, whatever timer is the next."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await asyncio.sleep(1.0)
            writer.write(line)
        writer.close()

    async def work() -> list[float]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        loop, stamps = asyncio.get_running_loop(), []
        ticking = asyncio.create_task(tick())
        for number in range(200):
            began = loop.time()
            writer.write(b"%d\n" % number)
            assert await reader.readline() == b"%d\n" % number
            stamps.append(loop.time() - began)
        ticking.cancel()
        writer.close()
        server.close()
        return stamps

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.000_1)

    with VirtualRunner(START_MS) as runner:
        taken = runner.run(work())
    assert taken == pytest.approx([1.0] * 200, abs=1e-6)


def test_a_thread_is_waited_for() -> None:
    async def work() -> int:
        return await asyncio.to_thread(lambda: (time.sleep(0.02), 7)[1])

    with VirtualRunner(START_MS) as runner:
        assert runner.run(work()) == 7


def test_waiting_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atm.ipc.virtual_loop.THREAD_WAIT_S", 0.01)

    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingToWaitFor), VirtualRunner(START_MS) as runner:
        runner.run(work())
