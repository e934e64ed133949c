"""Frames that are cut out of what is received, and those that are left to the library: whatever pieces they come in."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from atm.exchange.client.direct_connection import DirectConnection

TEXT, CONTINUATION, PING = 1, 0, 9
LIMIT = 200_000


def wire(content: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """A frame as a server sends it (RFC 6455, 5.2)."""
    head, size = (0x80 if final else 0) | opcode, len(content)
    if size < 126:
        return struct.pack("!BB", head, size) + content
    if size < 1 << 16:
        return struct.pack("!BBH", head, 126, size) + content
    return struct.pack("!BBQ", head, 127, size) + content


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(wait, "127.0.0.1", 0, compression=None) as serving:
        yield serving


async def opened(server: Server) -> DirectConnection:
    port = server.sockets[0].getsockname()[1]
    found = await connect(
        f"ws://127.0.0.1:{port}", create_connection=DirectConnection, compression=None, max_size=LIMIT,
        ping_interval=None, proxy=None, close_timeout=1,
    )  # fmt: skip
    assert isinstance(found, DirectConnection)
    return found


async def test_every_frame_comes_once_and_in_order_in_whatever_pieces(server: Server) -> None:
    dice = random.Random(5)
    connection = await opened(server)
    taken: list[bytes] = []
    connection.hand_to(taken.append)
    for _ in range(100):
        sent: list[bytes] = []
        fragmented, stream = [], b""
        for number in range(dice.randint(1, 30)):
            content = bytes([97 + number % 26]) * dice.choice((0, 1, 124, 125, 126, 127, 500, 65_535, 65_536))
            kind = dice.random()
            if kind < 0.1:
                stream += wire(content, final=False) + wire(b"", PING) + wire(b"end", CONTINUATION)
                fragmented.append(content + b"end")
            elif kind < 0.2:
                stream += wire(content[:100], PING)
            else:
                stream += wire(content)
                sent.append(content)
        taken.clear()
        at = 0
        while at < len(stream):
            size = dice.choice((1, 2, 3, 9, 130, 4_096, 262_144))
            connection.data_received(stream[at : at + size])
            at += size
        assert taken == sent
        assert [await connection.recv(decode=False) for _ in fragmented] == fragmented
    await connection.close()


async def test_what_the_library_had_begun_to_read_it_reads_to_the_end(server: Server) -> None:
    connection = await opened(server)
    first, second = wire(b"first " * 50), wire(b"second")
    connection.data_received(first[:20])
    taken: list[bytes] = []
    connection.hand_to(taken.append)
    connection.data_received(first[20:60])
    connection.data_received(first[60:])
    connection.data_received(second)
    assert await connection.recv(decode=False) == b"first " * 50
    assert taken == [b"second"]
    await connection.close()


async def test_a_ping_behind_a_flood_is_answered_and_a_closing_frame_ends(server: Server) -> None:
    connection = await opened(server)
    peer = next(iter(server.connections))
    taken: list[bytes] = []
    connection.hand_to(taken.append)
    for _ in range(1_000):
        peer.transport.write(wire(b"x" * 300))
    answered = await peer.ping()
    async with asyncio.timeout(5):
        await answered
    assert len(taken) == 1_000
    await peer.close(1001, "going away")
    with pytest.raises(ConnectionClosed) as closed:
        await connection.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001


async def test_a_frame_beyond_the_limit_is_refused_as_by_the_library(server: Server) -> None:
    connection = await opened(server)
    taken: list[bytes] = []
    connection.hand_to(taken.append)
    connection.data_received(wire(b"fine") + wire(b"x" * (LIMIT + 1))[:50])
    with pytest.raises(ConnectionClosed) as closed:
        await connection.recv()
    assert taken == [b"fine"]
    assert closed.value.sent is not None and closed.value.sent.code == 1009


async def test_a_defect_of_the_reader_ends_the_connection_and_is_its_cause(server: Server) -> None:
    connection = await opened(server)

    def fail(frame: bytes) -> None:
        raise KeyError("defect")

    connection.hand_to(fail)
    next(iter(server.connections)).transport.write(wire(b"x"))
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(5):
            await connection.recv()
    assert isinstance(closed.value.__cause__, KeyError)
