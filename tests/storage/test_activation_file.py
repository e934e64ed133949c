"""Activation files: opened by their password alone, changed by nobody, and telling nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.endpoint import Endpoint
from atm.model.errors import Invalid, Unavailable
from atm.model.secret import ApiKeys, KeyKind, Secret
from atm.storage import activation_file
from atm.storage.activation_file import CannotOpen, find, read_header, seal, unseal, write

KEY, SECRET = "k3Y" + "a" * 61, "s3C" + "b" * 61
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----"
QUICK = 2**15
"""The cheapest scrypt that is read, for tests."""


def sealed(password: str = "correct horse", account: str = "main", created: int = 1_000) -> bytes:
    return seal(ApiKeys(KEY, SECRET), password, account, Endpoint.TESTNET, created, scrypt_n=QUICK)


def test_the_password_opens_it_and_no_other() -> None:
    data = sealed()
    header, keys = unseal(data, "correct horse")
    assert (header.account, header.endpoint, header.created_ms) == ("main", Endpoint.TESTNET, 1_000)
    assert (keys.key.reveal(), keys.secret.reveal(), keys.kind) == (KEY, SECRET, KeyKind.HMAC)
    with pytest.raises(CannotOpen, match="the password is wrong or the file was changed"):
        unseal(data, "correct horsf")


def test_the_format_is_scrypt_and_aes_gcm_as_others_compute_them() -> None:
    """Opened here with the standard library's scrypt and nothing of the module."""
    data = sealed()
    length = 10 + int.from_bytes(data[8:10], "little")
    header = json.loads(data[10:length])
    key = hashlib.scrypt(
        b"correct horse",
        salt=base64.b64decode(header["salt"]),
        n=header["scrypt_n"],
        r=header["scrypt_r"],
        p=header["scrypt_p"],
        maxmem=2**28,
        dklen=32,
    )
    plain = AESGCM(key).decrypt(base64.b64decode(header["nonce"]), data[length:], data[:length])
    assert json.loads(plain) == [KEY, SECRET]


def test_a_file_costs_an_attacker_128_megabytes_a_guess_by_default() -> None:
    data = seal(ApiKeys(KEY, SECRET), "correct horse", "main", Endpoint.LIVE, 0)
    header, _ = read_header(data)
    assert (header.scrypt_n, header.scrypt_r) == (131_072, 8)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_byte_passes(data: st.DataObject) -> None:
    """Bytes of the header, too: the account's name cannot be put on another account's keys."""
    whole = _WHOLE
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda each: each != whole[at]))
    changed = whole[:at] + bytes([other]) + whole[at + 1 :]
    # a dearer scrypt than the one sealed with is legal to read and slow to try: not what is tested here
    with pytest.raises((Invalid, CannotOpen)):
        if read_header(changed)[0].scrypt_n > QUICK:
            raise CannotOpen("another cost is another key")
        unseal(changed, "correct horse")


_WHOLE = sealed()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda tail: b"ATMKEYS\x01" + tail)))
def test_any_bytes_are_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(Invalid):
        unseal(data, "correct horse")


@pytest.mark.parametrize("cut", range(0, len(_WHOLE), 7))
def test_a_cut_file_does_not_open(cut: int) -> None:
    with pytest.raises((Invalid, CannotOpen)):
        unseal(_WHOLE[:cut], "correct horse")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scrypt_n", 2**21),
        ("scrypt_n", 2**14),
        ("scrypt_n", 100_000),
        ("scrypt_r", 64),
        ("scrypt_p", 5),
        ("salt", "AAAA"),
    ],
)
def test_the_cost_that_a_file_may_ask_for_is_bounded(field: str, value: object) -> None:
    length = 10 + int.from_bytes(_WHOLE[8:10], "little")
    header = json.loads(_WHOLE[10:length])
    header[field] = value
    text = json.dumps(header).encode()
    with pytest.raises(Invalid):
        unseal(_WHOLE[:8] + len(text).to_bytes(2, "little") + text + _WHOLE[length:], "correct horse")


def test_two_files_of_the_same_keys_have_nothing_in_common() -> None:
    one, other = sealed(), sealed()
    assert read_header(one)[0].salt != read_header(other)[0].salt
    assert one[-60:] != other[-60:]


def test_the_newest_file_of_the_account_is_found(tmp_path: Path) -> None:
    drive, home = tmp_path / "drive", tmp_path / "home"
    old = write(drive, sealed(created=1))
    new = write(home, sealed(created=2))
    write(drive, sealed(account="other"))
    (drive / "broken.atmkeys").write_bytes(b"ATMKEYS\x01 nothing")
    (drive / "huge.atmkeys").write_bytes(bytes(100_000))
    folders = (drive, home, tmp_path / "absent")
    assert [each.path for each in find(folders, "main", Endpoint.TESTNET)] == [new, old]
    assert find(folders, "main", Endpoint.LIVE) == []
    assert new.stat().st_mode & 0o077 == 0


def test_a_drive_that_takes_nothing_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be written"):
        write(tmp_path / "file", sealed())


def test_an_account_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    assert write(tmp_path, sealed(account="../../etc/x")).parent == tmp_path


def test_nothing_that_is_said_shows_a_key_or_a_password() -> None:
    keys = ApiKeys(KEY, SECRET)
    said = [repr(keys), str(keys), repr(keys.secret), f"{keys.key}"]
    for key, secret in ((KEY[:-1], SECRET), (KEY, SECRET + "x"), (KEY, PEM[:-5]), (KEY + "!", SECRET)):
        with pytest.raises(Invalid) as refused:
            ApiKeys(key, secret)
        said += [str(refused.value), repr(refused.value.__cause__)]
    with pytest.raises(CannotOpen) as wrong:
        unseal(sealed(), "wrong password")
    assert wrong.value.__cause__ is None
    said.append(str(wrong.value))
    assert not [each for each in said if "k3Y" in each or "s3C" in each or "horse" in each or "wrong password" in each]
    assert KEY.encode() not in sealed() and SECRET.encode() not in sealed()


def test_secrets_do_not_travel_and_can_be_wiped() -> None:
    keys = ApiKeys(KEY, PEM)
    assert keys.kind is KeyKind.ED25519
    for forbidden in (pickle.dumps, copy.deepcopy):
        for value in (keys, keys.secret):
            with pytest.raises(TypeError):
                forbidden(value)
    keys.wipe()
    keys.wipe()
    assert not keys.secret
    with pytest.raises(Invalid):
        keys.secret.reveal()
    assert Secret("a") == Secret("a") and Secret("a") != Secret("b") and Secret("a") != "a"


def test_the_password_must_be_long_enough() -> None:
    for password in ("", "seven 7", "x" * 129):
        with pytest.raises(Invalid, match=f"{len(password)} characters"):
            activation_file.check_password(password)
