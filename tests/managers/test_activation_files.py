"""Files of keys under another password: the keys stay, the salt and the password do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.managers.activation_files import CannotActivate, keys_of_file, rotate_file, write_file
from atm.model.activation import ActivationReason as Reason
from atm.model.endpoint import Endpoint
from atm.model.errors import Invalid
from atm.model.secret import ApiKeys
from atm.storage.activation_file import read_header

KEY, SECRET = "k3Y" + "a" * 61, "s3C" + "b" * 61
OLD, NEW = "correct horse", "battery staple"


def made(folder: Path) -> Path:
    return write_file(folder, ApiKeys(KEY, SECRET), OLD, "main", Endpoint.TESTNET, 1_000)


def test_a_rotated_file_has_the_same_keys_another_salt_and_no_predecessor(tmp_path: Path) -> None:
    old = made(tmp_path)
    salt = read_header(old.read_bytes())[0].salt
    opened: list[ApiKeys] = []
    new = rotate_file(old, OLD, NEW, "main", Endpoint.TESTNET, 2_000, opened.append)
    assert list(tmp_path.iterdir()) == [new]
    header, _ = read_header(new.read_bytes())
    assert (header.account, header.endpoint, header.created_ms) == ("main", Endpoint.TESTNET, 2_000)
    assert header.salt != salt
    keys = keys_of_file(new, "main", Endpoint.TESTNET, NEW)
    assert (keys.key.reveal(), keys.secret.reveal()) == (KEY, SECRET)
    with pytest.raises(CannotActivate) as refused:
        keys_of_file(new, "main", Endpoint.TESTNET, OLD)
    assert refused.value.reason is Reason.CANNOT_OPEN
    assert [bool(each.key) or bool(each.secret) for each in opened] == [False], "wiped"


def test_what_cannot_be_rotated_stays_as_it_is(tmp_path: Path) -> None:
    old = made(tmp_path)
    for password, new_password, error in ((OLD, "short", Invalid), (NEW, OLD, CannotActivate)):
        with pytest.raises(error):
            rotate_file(old, password, new_password, "main", Endpoint.TESTNET, 2_000, lambda _: None)
    assert list(tmp_path.iterdir()) == [old]
    assert keys_of_file(old, "main", Endpoint.TESTNET, OLD).key.reveal() == KEY
