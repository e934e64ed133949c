"""Keys of an account from its activation file and into it. Slow on purpose (scrypt): for a thread beside the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from atm.model.activation import ActivationReason as Reason
from atm.model.endpoint import Endpoint
from atm.model.errors import ATMError, Invalid, Unavailable
from atm.model.secret import ApiKeys
from atm.storage import activation_file
from atm.storage.activation_file import LARGEST_FILE, CannotOpen


class CannotActivate(ATMError):
    """Why keys could not be had."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


def file_of(account: str, endpoint: Endpoint, path: str, folders: Iterable[Path]) -> Path:
    """The file that is named, else the newest of the account in the folders. Raises CannotActivate."""
    if path:
        return Path(path)
    searched = tuple(folders)
    try:
        found = activation_file.find(searched, account, endpoint)
    except OSError as error:
        raise CannotActivate(Reason.FILE_UNREADABLE, f"a drive cannot be read: {error.strerror}") from error
    if not found:
        places = ", ".join(str(each) for each in searched)
        raise CannotActivate(
            Reason.FILE_MISSING, f"there is no activation file of {account} for {endpoint.value} in {places}"
        )
    return found[0].path


def keys_of_file(path: Path, account: str, endpoint: Endpoint, password: str) -> ApiKeys:
    """Raises CannotActivate with what is wrong with file or password."""
    data = _content(path)
    try:
        header, _ = activation_file.read_header(data)
    except Invalid as error:
        raise CannotActivate(Reason.FILE_UNREADABLE, f"{path}: {error}") from None
    if (header.account, header.endpoint) != (account, endpoint):
        raise CannotActivate(Reason.FILE_OF_OTHER, f"{path} is of {header.account} for {header.endpoint.value}")
    try:
        return activation_file.unseal(data, password)[1]
    except CannotOpen as error:
        raise CannotActivate(Reason.CANNOT_OPEN, str(error)) from None


def write_file(folder: Path, keys: ApiKeys, password: str, account: str, endpoint: Endpoint, created_ms: int) -> Path:
    """A new activation file; the keys are wiped. Raises Invalid (password) and Unavailable (folder)."""
    try:
        if not folder.is_dir():
            raise Unavailable(f"there is no folder {folder}")
        return activation_file.write(folder, activation_file.seal(keys, password, account, endpoint, created_ms))
    finally:
        keys.wipe()


def rotate_file(
    path: Path,
    password: str,
    new_password: str,
    account: str,
    endpoint: Endpoint,
    created_ms: int,
    opened: Callable[[ApiKeys], None],
) -> Path:
    """The keys of a file beside it under another password and another salt; the old file goes when the new one lies there.
    opened(keys): told before they are wiped. Raises as the others do."""
    activation_file.check_password(new_password)
    keys = keys_of_file(path, account, endpoint, password)
    opened(keys)
    made = write_file(path.parent, keys, new_password, account, endpoint, created_ms)
    if made != path:
        try:
            path.unlink()
        except OSError as error:
            raise Unavailable(f"{made} was written, but the old file stays: {error.strerror}") from error
    return made


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise CannotActivate(Reason.FILE_MISSING, f"there is no file {path}") from None
    except OSError as error:
        raise CannotActivate(Reason.FILE_UNREADABLE, f"{path} cannot be read: {error.strerror}") from error
