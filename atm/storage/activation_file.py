"""Activation files: the API keys of one account, under a password, on a flash drive or a disk (spec: trading §9.2).

    magic (8 bytes) │ length of the header (2 bytes, little endian) │ header (JSON) │ AES-256-GCM of the keys, with its tag

Everything before the ciphertext is its associated data, so account, endpoint and time can be read without the password but
not changed without being found out. The key of the cipher comes from the password by scrypt (RFC 7914), with parameters that
stand in the header and are bounded on reading: a file made by somebody else must not cost gigabytes or hours. A wrong
password and a changed file cannot be told apart (GCM); a file that is no activation file, or none at all, can.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from atm.model.endpoint import Endpoint
from atm.model.errors import ATMError, Invalid, Unavailable
from atm.model.secret import ApiKeys
from atm.storage.file_lock import write_whole

SUFFIX = ".atmkeys"
LARGEST_FILE = 16_384
PASSWORD_LENGTHS = (8, 128)

_MAGIC = b"ATMKEYS\x01"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**17, 8, 1
_LOWEST_N, _HIGHEST_N, _HIGHEST_P = 2**15, 2**20, 4
_SALT, _NONCE, _KEY = 16, 12, 32


class CannotOpen(ATMError):
    """The password is wrong or the file was changed; nobody can tell which."""


class ActivationHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be known without the password. `created_ms`: Unix ms UTC; salt and nonce in bytes (base64 in the file)."""

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    endpoint: Endpoint
    created_ms: Annotated[int, msgspec.Meta(ge=0)]
    salt: Annotated[bytes, msgspec.Meta(min_length=_SALT, max_length=_SALT)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=_NONCE, max_length=_NONCE)]
    scrypt_n: Annotated[int, msgspec.Meta(ge=_LOWEST_N, le=_HIGHEST_N)] = _SCRYPT_N
    scrypt_r: Annotated[int, msgspec.Meta(ge=_SCRYPT_R, le=_SCRYPT_R)] = _SCRYPT_R
    scrypt_p: Annotated[int, msgspec.Meta(ge=1, le=_HIGHEST_P)] = _SCRYPT_P


class FoundActivation(msgspec.Struct, frozen=True):
    """An activation file and what it says of itself; not yet known to be genuine."""

    path: Path
    header: ActivationHeader


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """What is encrypted."""

    key: str
    secret: str


def seal(
    keys: ApiKeys,
    password: str,
    account: str,
    endpoint: Endpoint,
    created_ms: int,
    entropy: Callable[[int], bytes] = os.urandom,
    scrypt_n: int = _SCRYPT_N,
) -> bytes:
    """The bytes of an activation file. Takes some tenths of a second and 128 MB, on purpose: not for a dispatch thread.

    Raises Invalid for a password that is too short or too long, and for an account name that cannot be stored.
    """
    check_password(password)
    header = ActivationHeader(account, endpoint, created_ms, entropy(_SALT), entropy(_NONCE), scrypt_n)
    open_part = _framed(msgspec.json.encode(header))
    read_header(open_part)
    plain = msgspec.json.encode(_Keys(keys.key.reveal(), keys.secret.reveal()))
    return open_part + AESGCM(_derived(password, header)).encrypt(header.nonce, plain, open_part)


def unseal(data: bytes, password: str) -> tuple[ActivationHeader, ApiKeys]:
    """The keys. As slow as `seal`. Raises Invalid (no activation file) or CannotOpen (wrong password, or changed)."""
    header, length = read_header(data)
    try:
        plain = AESGCM(_derived(password, header)).decrypt(header.nonce, data[length:], data[:length])
        pair = msgspec.json.decode(plain, type=_Keys)
        return header, ApiKeys(pair.key, pair.secret)
    except (InvalidTag, msgspec.DecodeError, Invalid):
        # From None: the chain of exceptions would carry what was decrypted.
        raise CannotOpen(
            f"the activation file of {header.account} cannot be opened: the password is wrong or the file was changed"
        ) from None


def read_header(data: bytes) -> tuple[ActivationHeader, int]:
    """Header and number of bytes before the ciphertext. Raises Invalid."""
    start = len(_MAGIC) + 2
    if len(data) > LARGEST_FILE:
        raise Invalid("activation file", f"{len(data)} bytes", f"a file of at most {LARGEST_FILE} bytes")
    if not data.startswith(_MAGIC) or len(data) < start:
        raise Invalid("activation file", f"{len(data)} bytes", "a file that this program made")
    length = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    try:
        header = msgspec.json.decode(data[start:length], type=ActivationHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("activation file", "its header", f"a header that can be read ({error})") from None
    if header.scrypt_n & (header.scrypt_n - 1):
        raise Invalid("scrypt_n", header.scrypt_n, f"a power of two from {_LOWEST_N} to {_HIGHEST_N}")
    return header, length


def check_password(password: str) -> None:
    """Raises Invalid, without the password."""
    shortest, longest = PASSWORD_LENGTHS
    if not shortest <= len(password) <= longest:
        raise Invalid("password", f"{len(password)} characters", f"{shortest} to {longest} characters")


def write(folder: Path, data: bytes) -> Path:
    """Store what `seal` made: whole or not at all, readable by its owner only. Raises Unavailable with the reason."""
    header, _ = read_header(data)
    safe = "".join(each if each.isalnum() or each in "-_" else "_" for each in header.account)
    path = folder / f"{safe}-{header.endpoint.value}-{header.created_ms}{SUFFIX}"
    try:
        write_whole(path, data)
        path.chmod(0o600)
    except OSError as error:
        raise Unavailable(f"the activation file cannot be written to {folder}: {error.strerror}") from error
    return path


def find(folders: Iterable[Path], account: str, endpoint: Endpoint) -> list[FoundActivation]:
    """Files of an account directly in the folders, newest first. What is no activation file, or cannot be read, is passed over."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []:
            header = _header_of(path)
            if header is not None and header.account == account and header.endpoint is endpoint:
                found.append(FoundActivation(path, header))
    return sorted(found, key=lambda each: each.header.created_ms, reverse=True)


def _header_of(path: Path) -> ActivationHeader | None:
    try:
        with path.open("rb") as file:
            return read_header(file.read(LARGEST_FILE + 1))[0]
    except (OSError, Invalid):
        return None


def _framed(header: bytes) -> bytes:
    return _MAGIC + len(header).to_bytes(2, "little") + header


def _derived(password: str, header: ActivationHeader) -> bytes:
    kdf = Scrypt(header.salt, _KEY, header.scrypt_n, header.scrypt_r, header.scrypt_p)
    return kdf.derive(password.encode())
