"""Seals what must cross the queues unread. The cipher's library is loaded when it is first needed, not with the window."""

from __future__ import annotations


def sealed_for(public: bytes, text: str, purpose: str) -> bytes:
    """See `atm.ipc.sealed.seal_for`. Raises Invalid."""
    from atm.ipc.sealed import seal_for

    return seal_for(public, text, purpose)
