"""The error family of the program, split by what the caller can do.

ATMError
├── Invalid     bad input: one field, its value, what is allowed. Nothing was changed.
│   └── Problems several of them at once, one a line
├── Refused     a clear no of a peer (exchange, manager). Repeating it as it is makes no sense.
├── Unknown     the outcome is not known and must be queried before anything else is done.
├── Throttled   too many requests; may be repeated after `retry_after` seconds.
├── Banned      the exchange refuses this address until `until_ms`.
├── Unavailable the peer is not there at present; may be repeated later.
└── Fatal       this process cannot go on.
"""

from __future__ import annotations

from collections.abc import Sequence


class ATMError(Exception):
    """Base of every error that the program raises on purpose."""


class Invalid(ATMError):
    """Bad input. Names the field, the value and what is allowed, in one sentence."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(f"{field}: {value!r} is not allowed; allowed: {allowed}")

    def __reduce__(self) -> tuple[type[Invalid], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.allowed)


class Problems(Invalid):
    """Everything that is wrong with an input, at least one `Invalid`; its sentence has a line for each."""

    def __init__(self, found: Sequence[Invalid]) -> None:
        self.found = tuple(found)
        super().__init__(found[0].field, found[0].value, found[0].allowed)
        self.args = ("\n".join(str(each) for each in found),)

    def __reduce__(self) -> tuple[type[Problems], tuple[tuple[Invalid, ...]]]:  # type: ignore[override]
        return Problems, (self.found,)


def complain(found: Sequence[Invalid]) -> None:
    """Raises what was found: nothing, the one `Invalid`, or all as `Problems`."""
    if found:
        raise found[0] if len(found) == 1 else Problems(found)


class Refused(ATMError):
    """A peer said no. `code` is the peer's own code (0 when it has none)."""

    def __init__(self, message: str, code: int = 0) -> None:
        self.message = message
        self.code = code
        super().__init__(f"{message} ({code})" if code else message)


class Unknown(ATMError):
    """The request may or may not have been carried out: query before anything else."""


class Throttled(ATMError):
    """Too many requests. `retry_after`: seconds until another attempt makes sense."""

    def __init__(self, message: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Banned(ATMError):
    """The exchange refuses this address. `until_ms`: Unix ms UTC at which the ban ends."""

    def __init__(self, message: str, until_ms: int) -> None:
        self.until_ms = until_ms
        super().__init__(message)


class Unavailable(ATMError):
    """The peer cannot be reached now."""


class Fatal(ATMError):
    """This process cannot go on; the message says why and what to do."""
