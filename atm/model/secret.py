"""API keys as values that neither print, compare, pickle nor travel by accident."""

from __future__ import annotations

import binascii
import hmac
from enum import Enum
from typing import Any, NoReturn

from atm.model.errors import Invalid

HMAC_KEY_LENGTH = 64
PEM_BEGIN, PEM_END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
_DER_SHARED, _PEM_SHARED = 16, 22
"""What all Ed25519 keys begin with in PKCS 8 (RFC 8410 §7): bytes, and digits of base64."""


class KeyKind(Enum):
    """How requests are signed: HMAC-SHA-256 with a shared secret, or Ed25519 with a private key in PEM."""

    HMAC = "HMAC"
    ED25519 = "ED25519"


class Secret:
    """Bytes that must not be seen. They lie in one buffer, which `wipe` overwrites; `reveal` is the only way to them."""

    __slots__ = ("_buffer",)

    def __init__(self, text: str) -> None:
        self._buffer = bytearray(text, "utf-8")

    def reveal(self) -> str:
        """The text. The copy is the caller's, to be used at once and not kept. Raises Invalid after `wipe`."""
        if not self._buffer:
            raise Invalid("secret", "…", "one that was not wiped")
        return self._buffer.decode()

    def copied(self) -> bytearray:
        """A copy that can be overwritten, and is the caller's to overwrite."""
        return bytearray(self._buffer)

    def wipe(self) -> None:
        """Overwrite and forget it. Calling twice does no harm."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer.clear()

    def __bool__(self) -> bool:
        return bool(self._buffer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._buffer, other._buffer)

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a trace of it

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise TypeError("a secret is not copied")


class ApiKeys:
    """The pair with which requests of one account are signed. `key` is the public half, yet it is hidden as well."""

    __slots__ = ("key", "kind", "secret")

    def __init__(self, key: str, secret: str) -> None:
        """Raises Invalid (without the value) for what cannot be a pair of the exchange."""
        key, secret = key.strip(), secret.strip()
        if len(key) != HMAC_KEY_LENGTH or not (key.isascii() and key.isalnum()):
            raise Invalid("API key", _shape(key), f"{HMAC_KEY_LENGTH} letters and digits")
        self.kind = KeyKind.ED25519 if secret.startswith(PEM_BEGIN) else KeyKind.HMAC
        if self.kind is KeyKind.HMAC and not (len(secret) == HMAC_KEY_LENGTH and secret.isascii() and secret.isalnum()):
            raise Invalid(
                "API secret", _shape(secret), f"{HMAC_KEY_LENGTH} letters and digits, or an Ed25519 private key in PEM"
            )
        if self.kind is KeyKind.ED25519 and not secret.endswith(PEM_END):
            raise Invalid("API secret", _shape(secret), f"a whole PEM block, ending with {PEM_END}")
        if self.kind is KeyKind.ED25519:  # a field of one line has swallowed the line feeds
            body = "".join(secret.removeprefix(PEM_BEGIN).removesuffix(PEM_END).split())
            secret = f"{PEM_BEGIN}\n{body}\n{PEM_END}"
        self.key, self.secret = Secret(key), Secret(secret)

    def traces(self) -> tuple[bytearray, ...]:
        """What must not stay anywhere in memory: key and secret, of a PEM its own digits and the private key that they are."""
        key, secret = self.key.copied(), self.secret.copied()
        if self.kind is KeyKind.HMAC:
            return key, secret
        body = secret.removeprefix(PEM_BEGIN.encode()).removesuffix(PEM_END.encode()).strip()
        try:
            raw = bytearray(binascii.a2b_base64(body))
        except binascii.Error:  # it was refused for that
            raw = bytearray()
        secret[:] = bytes(len(secret))
        return key, body[_PEM_SHARED:], raw[_DER_SHARED:]

    def wipe(self) -> None:
        self.key.wipe()
        self.secret.wipe()

    def __repr__(self) -> str:
        return f"ApiKeys({self.kind.value}, …)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("API keys do not leave their process")


def _shape(text: str) -> str:
    """What may be said of a secret that is refused."""
    return f"{len(text)} characters"
