"""What is left of a secret in memory, in a process of its own: whoever is looked for is looked for everywhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from atm.model.remains import looks_random, wipe_remains

COPIES = """
import ctypes, secrets, sys
from atm.model.remains import wipe_remains
key = secrets.token_urlsafe(96)[:64]
freed = ctypes.create_string_buffer(key.encode() + b"tail")
copies = [key + "!", "x" * 1_000_000 + key, key[20:40], key[7:18], "unlike it"]
numbers = [ord(letter) for letter in key]
places = wipe_remains([bytearray(key, "ascii")])
assert places >= 4, places
zeros = "0" * 64
assert copies == [zeros + "!", "x" * 1_000_000 + zeros, "0" * 20, bytes(numbers[7:18]).decode(), "unlike it"], copies
assert key == zeros and freed.raw == zeros.encode() + b"tail\\0"
"""

WORDS = """
from atm.model.remains import wipe_remains
password = "correct horse battery of inter" + "national configuration"
message, kept = "names of inter" + "national configuration files", "Password: " + password
assert wipe_remains((), [bytearray(password, "ascii")]) >= 1
assert message == "names of inter" + "national configuration files", message
assert kept == "Password: " + "0" * 52, kept
made = "Xk2vQ9tR7wLm4z" + "Bn8cP3sD6fGh1jYu5e"
piece, half = made[4:24], made[:8] + "-"
wipe_remains((), [bytearray(made, "ascii")])
assert (made, piece) == ("0" * 32, "0" * 20) and half.startswith("Xk2v"), (made, piece, half)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process as Linux offers it")
def test_a_word_that_a_password_has_in_common_with_a_message_stays_in_the_message() -> None:
    done = subprocess.run([sys.executable, "-c", WORDS], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


BEHIND_A_HOLE = """
import ctypes, mmap, secrets
from atm.model import remains
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
page = mmap.PAGESIZE
begin = libc.mmap(None, 8 * page, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
key = secrets.token_hex(32).encode()
for at in (0, 5 * page):
    ctypes.memmove(begin + at, key, len(key))
remains._regions = lambda: iter([(begin, begin + 8 * page)])
libc.munmap(begin + page, 3 * page)
places = remains.wipe_remains([bytearray(key)])
assert places == 2, places
assert ctypes.string_at(begin + 5 * page, 64) == b"0" * 64
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process as Linux offers it")
@pytest.mark.parametrize("code", [COPIES, BEHIND_A_HOLE], ids=["everywhere", "memory that has gone meanwhile"])
def test_every_copy_and_every_piece_of_twelve_bytes_is_overwritten_and_nothing_else(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_what_might_stand_somewhere_for_another_reason_is_only_overwritten_itself() -> None:
    written, alphabet = "correct horse battery", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab"
    given = [bytearray(each.encode()) for each in (written, alphabet)]
    assert wipe_remains(given) == 0
    assert [set(each) for each in given] == [{0}, {0}]
    assert alphabet.startswith("ABC") and written.startswith("correct")


@pytest.mark.parametrize(
    ("text", "is_random"),
    [
        ("aaaaaaaaaaaaaaaaaaaaaaaa", False),
        ("0123456789abcdef0123456789abcdef", False),
        ("market_store", False),
        ("short1A", False),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", True),
        ("2ed1886923345d246583cf40f727224a38e9665517c90e6b7449efc32042de53", True),  # 23345 by chance
        ("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", True),  # of the exchange's documentation
        ("Xk2-vQ9_tR7wLm4z", True),
    ],
)
def test_only_chance_counts_as_a_secret(text: str, is_random: bool) -> None:
    assert looks_random(text.encode()) is is_random
