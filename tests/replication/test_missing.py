"""What is missing, in which order; against a model that sorts by hand."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from appliance.replication.missing import Backlog, Item, Urgency, backlog, due, missing

TODAY = dt.date(2026, 3, 14)
DAYS = [TODAY - dt.timedelta(days=number) for number in range(3)]


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    made = []
    for number in range(draw(st.integers(0, 30))):
        urgency = draw(st.sampled_from(Urgency))
        fixed = urgency not in (Urgency.JOURNAL, Urgency.STATISTICS)
        made.append(
            Item(
                f"{urgency.name}/{number}",
                urgency,
                draw(st.integers(0, 50)),
                draw(st.integers(0, 99)),
                f"{number:064x}" if fixed else None,
                draw(st.sampled_from(DAYS)),
                number if fixed else -1,
            )
        )
    return draw(st.permutations(made))


@given(items(), st.data())
def test_everything_unsigned_is_missing_once_and_nothing_else(found: list[Item], data: st.DataObject) -> None:
    names = [item.name for item in found]
    signed = set(data.draw(st.lists(st.sampled_from(names), unique=True)) if names else [])
    wrong = set(data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []) & signed
    acknowledged = {
        item.name: "f" * 64 if item.name in wrong else item.sha256 or "a" * 64
        for item in found
        if item.name in signed
    }
    lacking = missing(found, acknowledged, TODAY)
    assert len({item.name for item in lacking}) == len(lacking)
    assert {item.name for item in lacking} == {
        item.name
        for item in found
        if item.name not in signed or (item.name in wrong and item.sha256 is not None)
    }


@given(items())
def test_the_order_is_that_of_what_would_be_lost(found: list[Item]) -> None:
    lacking = missing(found, {}, TODAY)
    assert [item.urgency for item in lacking] == sorted(item.urgency for item in found)
    for kind in (Urgency.ENVELOPE, Urgency.JOURNAL):
        of_kind = [item for item in lacking if item.urgency is kind]
        of_today = [item.day == TODAY for item in of_kind]
        assert of_today == sorted(of_today, reverse=True), "today's first"
        for is_today in (True, False):
            ages = [(item.line, item.at_ns) for item in of_kind if (item.day == TODAY) is is_today]
            assert ages == sorted(ages)
    for kind in (Urgency.LINE, Urgency.BULK):
        lines = [item.line for item in lacking if item.urgency is kind]
        assert lines == sorted(lines), "as the chain goes: oldest first"


@given(items(), st.booleans(), st.none() | st.integers(0, 30), st.data())
def test_what_may_go_now(found: list[Item], may_bulk: bool, stopped: int | None, data: st.DataObject) -> None:
    lacking = missing(found, {}, TODAY)
    names = [item.name for item in found]
    aside = set(data.draw(st.lists(st.sampled_from(names), unique=True)) if names else [])
    now = due(lacking, aside, stopped, may_bulk)
    assert now == [item for item in lacking if item in now], "in the same order"
    for item in lacking:
        rests_on_stopped = stopped is not None and item.line >= stopped
        kept_back = (
            item.name in aside
            or (not may_bulk and item.urgency in (Urgency.STATISTICS, Urgency.BULK))
            or (rests_on_stopped and item.urgency in (Urgency.LINE, Urgency.BULK))
        )
        assert (item in now) is not kept_back


def test_a_backlog_is_counted() -> None:
    assert backlog([]) == Backlog(0, 0, None)
    some = [Item(f"chain/{n}", Urgency.LINE, 100 - n, 10 + n) for n in range(3)]
    assert backlog(some) == Backlog(3, 33, 98)
