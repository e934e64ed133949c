"""The forms of messages: event, request, reply. See `atm.ipc.messages`, through which all of them are imported."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from atm.model.errors import Invalid

Delivery = Literal["ordered", "latest"]


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages; the tag is the class name."""


class Event(Message, frozen=True):
    delivery: ClassVar[Delivery] = "ordered"


class Request(Message, frozen=True):
    pass


class Reply(Message, frozen=True):
    pass


class Done(Reply, frozen=True):
    """The plain yes. `text`/`parameters`: an optional catalogue text for the user."""

    text: str = ""
    parameters: dict[str, str] = {}


class FieldProblem(msgspec.Struct, frozen=True):
    """One wrong field: its path, its value as text, and what is allowed."""

    field: str
    value: str
    allowed: str

    @staticmethod
    def of(problem: Invalid) -> FieldProblem:
        return FieldProblem(problem.field, repr(problem.value), problem.allowed)


class Failed(Reply, frozen=True):
    """A refused or failed request. kind: class name of the error (atm.model.errors); field: of an `Invalid`; problems:
    every one of several wrong fields."""

    kind: str
    message: str
    field: str = ""
    problems: tuple[FieldProblem, ...] = ()


def message_types() -> tuple[type[Message], ...]:
    """All concrete messages, for the one decoder of the program."""
    found: list[type[Message]] = []
    stack: list[type[Any]] = [Message]
    while stack:
        for child in stack.pop().__subclasses__():
            stack.append(child)
            if child not in (Event, Request, Reply):
                found.append(child)
    return tuple(found)
