"""What is told at once is understood as what is told one after the other: no name reaches another time."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.bindings import Bindings
from appliance.model.instants import HOUR_NS, NS
from appliance.model.reasons import EndReason, Evidence
from appliance.model.rows import BINDING
from tests.identity.stated import TEN, Rows, claim, seconds

PHONE, TABLET, HALL, ROOF = 0x02AA00000001, 0x02AA00000002, 0x02B000000001, 0x02B000000002
BOB, GUESTS, IP = 4, 5, "10.0.0.7"
DAY_S = 24 * 3600

both_ways = pytest.mark.parametrize("together", [False, True], ids=["one by one", "one batch"])


def parts_of(stated: list[Rows], together: bool, by_source: bool = True) -> Rows:
    table = Bindings(by_source=by_source)
    batches = [np.concatenate(stated)] if together and stated else stated
    rows = [table.observe(batch, 0) for batch in batches]
    return np.concatenate([np.zeros(0, BINDING), *rows, table.close()])


@both_ways
def test_a_user_of_one_day_is_not_that_of_another(together: bool) -> None:
    later = claim(2 * DAY_S, Evidence.FLOW, PHONE, IP, user=BOB, ssid=GUESTS)
    rows = parts_of([claim(0, Evidence.FLOW, PHONE, IP), later], together)
    assert seconds(rows, "user", "ssid") == [(0, 0, 0, 0), (2 * DAY_S, 2 * DAY_S, BOB, GUESTS)]


@both_ways
def test_an_association_that_was_believed_for_a_day_lends_no_name_to_the_next(together: bool) -> None:
    stated = [
        claim(0, Evidence.ASSOCIATION, PHONE, ap_mac=HALL, ssid=GUESTS),
        claim(4 * DAY_S, Evidence.ASSOCIATION, PHONE, user=BOB),
    ]
    rows = parts_of(stated, together)
    names = {(int(row["from"] > TEN + 2 * DAY_S * NS), *row[["ap_mac", "ssid", "user"]]) for row in rows}
    assert names == {(0, HALL, GUESTS, 0), (1, 0, 0, BOB)}


@both_ways
def test_a_login_counts_from_when_it_is_told_and_updates_that_do_not_repeat_it_change_nothing(
    together: bool,
) -> None:
    stated = [
        claim(0, Evidence.ASSOCIATION, PHONE, ap_mac=HALL),
        claim(60, Evidence.ASSOCIATION, PHONE, user=BOB, ap_mac=HALL),
        claim(300, Evidence.ASSOCIATION, PHONE, ap_mac=HALL),
        claim(600, Evidence.ASSOCIATION, PHONE, ap_mac=HALL, user=BOB),
        claim(900, Evidence.ASSOCIATION, PHONE, ap_mac=HALL, released=True),
        claim(950, Evidence.ASSOCIATION, PHONE, ap_mac=HALL),
        claim(960, Evidence.ASSOCIATION, PHONE, ap_mac=HALL, released=True),
    ]
    told = seconds(parts_of(stated, together), "user", "end_reason")
    goes_on, ended = EndReason.ACTIVE_TIMEOUT, EndReason.END_OF_FLOW
    assert told == [(0, 60, 0, goes_on), (60, 900, BOB, ended), (950, 960, 0, ended)]


def test_what_is_told_late_of_a_time_before_the_login_is_not_the_users() -> None:
    stated = [
        claim(100, Evidence.FLOW, PHONE, IP, user=BOB), claim(40, Evidence.FLOW, PHONE, IP),
        claim(50, Evidence.FLOW, PHONE, IP, user=BOB + 1), claim(160, Evidence.FLOW, PHONE, IP),
    ]  # fmt: skip
    assert seconds(parts_of(stated, False), "user") == [(40, 40, 0), (50, 50, BOB + 1), (100, 160, BOB)]


def test_who_changes_place_all_the_time_is_told_apart_so_far_and_never_misnamed() -> None:
    stated = [claim(at, Evidence.ASSOCIATION, PHONE, ap_mac=HALL + at % 2, user=1 + at) for at in range(1000)]
    table = Bindings(by_source=True)
    rows = np.concatenate([table.observe(np.concatenate(stated), 0), table.close()])
    assert table.evicted == 1
    at = (rows["from"] - TEN) // NS
    assert (rows["user"] == 1 + at).all()
    assert (rows["ap_mac"] == HALL + at % 2).all()
    assert set(at.tolist()) == set(range(1000))


ANYTHING = st.fixed_dictionaries(
    {
        "at_s": st.one_of(
            st.integers(0, 1200), st.integers(0, 400).map(lambda hours: hours * 1800), st.integers(0, 10**7)
        ),
        "evidence": st.sampled_from([*Evidence][:-1]),
        "mac": st.integers(1, 2),
        "ip": st.sampled_from(["", IP, "2001:db8::7"]),
        "released": st.sampled_from([False, False, True]),
        "lease_s": st.sampled_from([0, 0, 100, 3600, 10**6]),
    }
    | {name: st.sampled_from([0, 0, 1, 2]) for name in ("user", "ssid", "ap_mac")}
)


def held(rows: Rows) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """The stretches of each holding and place, parts that touch as one."""
    names = [*("ip_hi", "ip_lo", "mac", "evidence", "ap_mac", "ssid", "user")]
    found: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for row in np.sort(rows, order=["from", "until"]):
        stretches, begin = found[tuple(int(row[name]) for name in names)], int(row["from"])
        if stretches and begin <= stretches[-1][1] + 1:
            begin, before = stretches.pop()
            stretches.append((begin, max(before, int(row["until"]))))
        else:
            stretches.append((begin, int(row["until"])))
    return dict(found)


@settings(max_examples=400, deadline=None)
@given(
    told=st.lists(ANYTHING, max_size=14),
    order=st.randoms(use_true_random=False),
    by_source=st.booleans(),
    few=st.booleans(),
)
def test_claims_tell_the_same_together_as_one_by_one(
    told: list[dict[str, int]], order: np.random.Generator, by_source: bool, few: bool
) -> None:
    """Of any evidence, hours and days apart, with names or without."""
    if few:
        told = [each | {"mac": 1, "ip": IP, "evidence": told[0]["evidence"]} for each in told]
    told = [each | {"lease_s": 0 if each["released"] else each["lease_s"]} for each in told]
    unlike = {each["at_s"]: each for each in told}  # what happens at once has no order
    one_by_one = [claim(**unlike[at]) for at in sorted(unlike)]  # type: ignore[arg-type]
    shuffled = list(one_by_one)
    order.shuffle(shuffled)
    together, apart = parts_of(shuffled, True, by_source), parts_of(one_by_one, False, by_source)
    assert held(together) == held(apart)
    assert (together["from"] // HOUR_NS == together["until"] // HOUR_NS).all()


@settings(max_examples=200, deadline=None)
@given(told=st.lists(ANYTHING, max_size=14))
def test_no_name_is_told_of_a_time_before_it_was_said(told: list[dict[str, int]]) -> None:
    claims = [claim(**each) for each in told]  # type: ignore[arg-type]
    first: dict[tuple[str, int, int], int] = {}
    for one in claims:
        for name in ("user", "ssid", "ap_mac"):
            which = (name, int(one["mac"][0]), int(one[name][0]))
            first[which] = min(first.get(which, 1 << 62), int(one["seen"][0]))
    for row in parts_of(claims, True):
        for name in ("user", "ssid", "ap_mac"):
            if row[name]:
                assert row["from"] >= first[name, int(row["mac"]), int(row[name])]
