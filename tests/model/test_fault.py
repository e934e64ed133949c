"""Faults are described once: what is left out gets the default of its kind, and a mistake is told by the name of its field."""

from __future__ import annotations

import msgspec
import pytest

from atm.model.errors import Invalid, Problems
from atm.model.fault import FORMS, Fault, FaultKind, fields_of, read_fault


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_has_a_form_whose_defaults_and_draws_are_allowed(kind: FaultKind) -> None:
    form, fields = FORMS[kind], fields_of(kind)
    fault = read_fault({"kind": kind.value})
    again = read_fault({"kind": kind.value, **{field.name: field.default for field in fields.values()}})
    assert again == fault == msgspec.json.decode(msgspec.json.encode(fault), type=Fault)
    for bound in form.range_amount if form.amount is not None else ():
        assert fields["amount"].check(int(bound) if fields["amount"].kind == "whole" else bound) == bound
    assert (fault.duration_ms > 0) == form.lasting
    assert form.about.endswith(".")


def test_the_amount_has_a_name_of_its_own() -> None:
    assert read_fault({"kind": "late", "late_ms": 500}) == read_fault({"kind": "late", "amount": 500})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "explosion"}, "kind"),
        ({}, "kind"),
        ({"kind": "late", "late_ms": 0}, "late_ms"),
        ({"kind": "late", "late_ms": "soon"}, "late_ms"),
        ({"kind": "missing", "probability": 1.5}, "probability"),
        ({"kind": "missing", "amount": 3}, "amount"),
        ({"kind": "listen_key_expired", "duration_ms": 5}, "duration_ms"),
        ({"kind": "error_after", "variant": "200"}, "variant"),
        ({"kind": "disconnect", "at_ms": -1}, "at_ms"),
    ],
)
def test_a_mistake_names_its_field(given: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_fault(given)
    assert caught.value.field == field


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        read_fault({"kind": "late", "late_ms": -1, "colour": "red"})
    assert [problem.field for problem in caught.value.found] == ["late_ms", "colour"]
