"""Secrets that must cross queues: sealed for the one process that may read them.

The reader makes a key pair that lives as long as it does and gives its public half to whoever asks. A sealed message is a
fresh public key of the sender followed by AES-256-GCM under a key agreed on by X25519 and HKDF-SHA-256, so queues, the router and
a memory dump of the sender's peer hold nothing to be read, and nobody, the sender included, can open it again. `purpose` binds a
message to what it was made for: it opens for no other request.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from atm.model.errors import Invalid

_KEY = 32
# A key is used for one message only, so the nonce may stand still.
_NONCE = bytes(12)


def seal_for(public: bytes, text: str, purpose: str) -> bytes:
    """`text` so that only the holder of the private half of `public` (32 bytes) reads it. Raises Invalid for no such key."""
    sender = X25519PrivateKey.generate()
    own = sender.public_key().public_bytes_raw()
    key = _agreed(sender, _public_key(public), own, public)
    return own + AESGCM(key).encrypt(_NONCE, text.encode(), purpose.encode())


class SealReader:
    """The private half. Make one a process, at its start; a successor has another, and older messages are lost with it."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def open(self, sealed: bytes, purpose: str) -> str:
        """The text. Raises Invalid when it was sealed for another process or purpose, or changed."""
        try:
            sender = _public_key(sealed[:_KEY])
            plain = AESGCM(_agreed(self._private, sender, sealed[:_KEY], self.public)).decrypt(
                _NONCE, sealed[_KEY:], purpose.encode()
            )
        except (InvalidTag, ValueError):
            raise Invalid(
                "sealed message", f"{len(sealed)} bytes", f"one sealed for this process and for {purpose}"
            ) from None
        # The cipher leaves its last blocks in the processor's vector registers, which are stored on the stack at some later time, where
        # nobody would look for them any more: let it leave others.
        AESGCM(bytes(_KEY)).encrypt(_NONCE, bytes(len(plain)), bytes(len(purpose)))
        return plain.decode()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a private key does not leave its process")


def _public_key(raw: bytes) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise Invalid("public key", f"{len(raw)} bytes", f"{_KEY} bytes of X25519") from None


def _agreed(private: X25519PrivateKey, public: X25519PublicKey, sender: bytes, reader: bytes) -> bytes:
    """Both public keys go into the derivation, as RFC 7748 §6.1 asks for."""
    return HKDF(SHA256(), _KEY, None, sender + reader).derive(private.exchange(public))
