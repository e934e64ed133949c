from hypothesis import given
from hypothesis import strategies as st

from atm.ipc.envelope import Envelope, Kind
from atm.ipc.routing import Outlet


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60), st.data())
def test_nothing_ordered_is_lost_and_only_older_latest_ones_are_overwritten(
    sent: list[tuple[bool, int]], data: st.DataObject
) -> None:
    outlet = Outlet()
    taken: list[Envelope] = []
    for number, (latest, key) in enumerate(sent):
        outlet.put(Envelope(Kind.EVENT, "a", topic="t", key=str(key), number=number, latest=latest))
        if data.draw(st.booleans()) and (envelope := outlet.take()):
            taken.append(envelope)
    while envelope := outlet.take():
        taken.append(envelope)
    ordered = [e.number for e in taken if not e.latest]
    assert ordered == [n for n, (latest, _) in enumerate(sent) if not latest]
    for key in {k for latest, k in sent if latest}:
        newest = max(n for n, (latest, k) in enumerate(sent) if latest and k == key)
        assert [e.number for e in taken if e.latest and e.key == str(key)][-1] == newest


def test_a_reader_that_is_gone_cannot_fill_the_memory() -> None:
    outlet = Outlet(limit=10)
    for number in range(100):
        outlet.put(Envelope(Kind.EVENT, "a", topic="bar", number=number))
        outlet.put(Envelope(Kind.EVENT, "a", topic="price", key="X", latest=True, number=number))
    assert len(outlet) == 11
    assert outlet.dropped == 90
