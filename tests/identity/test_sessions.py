"""Sessions, associations and addresses that are given away: who ends whose holding, judged by hand."""

import itertools
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

PHONE, TABLET = 0x02AA00000001, 0x02AA00000002
HALL, ROOF = 0x02B000000001, 0x02B000000002
DHCP, RADIUS, ARP = Evidence.DHCP, Evidence.RADIUS, Evidence.ARP
ASSOCIATION, PRESENCE = Evidence.ASSOCIATION, Evidence.PRESENCE
IP = "10.0.0.7"

ENDED, GOES_ON, FORCED = EndReason.END_OF_FLOW, EndReason.ACTIVE_TIMEOUT, EndReason.FORCED_END


def observed(*stated: Rows, together: bool, source: int = 0) -> tuple[Bindings, Rows]:
    """A table that was told all this, in one batch or one by one, and what it closed."""
    table = Bindings(by_source=True)
    batches = [np.concatenate(stated)] if together else list(stated)
    return table, np.concatenate([np.zeros(0, BINDING), *(table.observe(batch, source) for batch in batches)])


both_ways = pytest.mark.parametrize("together", [False, True], ids=["one by one", "one batch"])


def of(rows: Rows, evidence: Evidence, has_ip: bool = True) -> Rows:
    return rows[(rows["evidence"] == evidence) & ((rows["ip_lo"] != 0) == has_ip)]


@both_ways
def test_interim_updates_do_not_cut_a_session_and_its_stop_ends_it(together: bool) -> None:
    said = {"session": 5, "user": 6, "ap_mac": HALL, "ssid": 7}
    stated = [claim(0, RADIUS, PHONE, IP, **said)]
    stated += [
        claim(at, RADIUS, PHONE, IP, **said, bytes_out=at, bytes_in=10 * at) for at in range(300, 3000, 300)
    ]
    stated += [claim(3000, RADIUS, PHONE, IP, **said, bytes_out=9999, bytes_in=4, released=True)]
    table, rows = observed(*stated, together=together)
    assert len(table) == 0
    for held in (of(rows, RADIUS), of(rows, RADIUS, has_ip=False)):
        assert seconds(held, "session", "user", "ssid", "ap_mac") == [(0, 3000, 5, 6, 7, HALL)]
        assert (held["bytes_out"][0], held["bytes_in"][0], held["end_reason"][0]) == (9999, 4, ENDED)


def test_a_session_without_interim_updates_stands_until_its_stop() -> None:
    table, _ = observed(claim(0, RADIUS, PHONE, IP, session=5), together=True)
    written = np.concatenate([table.expire(TEN + hour * HOUR_NS) for hour in range(1, 9)])
    assert len(of(written, RADIUS)) == 8
    stop = claim(8.5 * 3600, RADIUS, PHONE, IP, session=5, released=True)
    rows = np.concatenate([written, table.observe(stop, 0)])
    ends = [(begin, end) for begin, end in seconds(of(rows, RADIUS))]
    assert ends == [(hour * 3600, (hour + 1) * 3600) for hour in range(8)] + [(8 * 3600, int(8.5 * 3600))]


def test_a_session_whose_stop_was_lost_is_believed_for_a_day() -> None:
    table, _ = observed(claim(0, RADIUS, PHONE, IP, session=5), together=True)
    rows = table.expire(TEN + 40 * HOUR_NS)
    assert len(table) == 0
    assert of(rows, RADIUS)["until"].max() == TEN + 24 * HOUR_NS


@both_ways
def test_roaming_within_a_session_begins_a_part_and_keeps_the_user(together: bool) -> None:
    stated = [
        claim(0, RADIUS, PHONE, IP, session=5, user=6, ap_mac=HALL, ssid=7),
        claim(600, RADIUS, PHONE, IP, session=5, ap_mac=ROOF, ssid=7, bytes_in=10),
        claim(900, RADIUS, PHONE, IP, session=5, ap_mac=ROOF, bytes_in=30, released=True),
    ]
    _, rows = observed(*stated, together=together)
    held = of(rows, RADIUS)
    told = seconds(held, "ap_mac", "user", "session", "ssid", "end_reason", "bytes_in")
    assert told == [(0, 600, HALL, 6, 5, 7, GOES_ON, 0), (600, 900, ROOF, 6, 5, 7, ENDED, 30)]
    assert int(held["until"].min()) == TEN + 600 * NS - 1


@both_ways
def test_another_session_of_the_address_ends_the_one_before_and_its_late_stop_changes_nothing(
    together: bool,
) -> None:
    stated = [
        claim(0, RADIUS, PHONE, IP, session=5, user=6, ap_mac=HALL),
        claim(100, RADIUS, TABLET, IP, session=8),
        claim(130, RADIUS, PHONE, IP, session=5, released=True, bytes_in=44),
        claim(200, RADIUS, TABLET, IP, session=8, released=True),
    ]
    table, rows = observed(*stated, together=together)
    told = seconds(of(rows, RADIUS), "mac", "session", "user", "ap_mac", "end_reason", "bytes_in")
    assert told == [
        (0, 100, PHONE, 5, 6, HALL, ENDED, 0),
        (100, 200, TABLET, 8, 0, 0, ENDED, 0),
        (130, 130, PHONE, 5, 0, 0, ENDED, 44),
    ]
    assert len(table) == 0


@both_ways
def test_what_does_not_repeat_the_session_goes_with_the_one_that_has_begun(together: bool) -> None:
    stated = [
        claim(0, RADIUS, PHONE, IP, session=5, ap_mac=HALL),
        claim(100, RADIUS, TABLET, IP, session=8),
        claim(110, RADIUS, TABLET, IP, ap_mac=ROOF),
        claim(200, RADIUS, TABLET, IP, session=8, released=True),
    ]
    _, rows = observed(*stated, together=together)
    told = seconds(of(rows, RADIUS), "mac", "session", "ap_mac")
    assert told == [(0, 100, PHONE, 5, HALL), (100, 110, TABLET, 8, 0), (110, 200, TABLET, 8, ROOF)]


@both_ways
def test_a_stop_ends_all_that_its_session_held_and_nothing_of_others(together: bool) -> None:
    stated = [
        claim(0, RADIUS, PHONE, session=5, user=6),
        claim(10, RADIUS, PHONE, IP, session=5),
        claim(10, RADIUS, PHONE, "2001:db8::7", session=5),
        claim(10, RADIUS, TABLET, "10.0.0.8", session=9),
        claim(90, RADIUS, PHONE, session=5, released=True),
    ]
    table, rows = observed(*stated, together=together)
    assert seconds(rows, "mac") == [(0, 90, PHONE), (10, 90, PHONE), (10, 90, PHONE)]
    assert len(table) == 2  # the tablet's address and association


@both_ways
def test_an_address_may_end_alone_and_the_session_goes_on(together: bool) -> None:
    stated = [
        claim(0, RADIUS, PHONE, IP, session=5, user=6),
        claim(60, RADIUS, PHONE, IP, released=True),
        claim(60, RADIUS, PHONE, "10.0.0.9", session=5, user=6),
        claim(90, RADIUS, PHONE, "10.0.0.9", session=5, released=True),
    ]
    table, rows = observed(*stated, together=together)
    assert seconds(of(rows, RADIUS), "session") == [(0, 60, 5), (60, 90, 5)]
    assert seconds(of(rows, RADIUS, has_ip=False), "user") == [(0, 90, 6)]
    assert len(table) == 0


@both_ways
def test_an_address_leased_to_another_is_no_longer_the_first_ones(together: bool) -> None:
    stated = [
        claim(0, DHCP, PHONE, IP, lease_s=3600),
        claim(60, DHCP, TABLET, IP, lease_s=3600),
        claim(70, DHCP, PHONE, IP, released=True),  # not his any more
        claim(80, DHCP, TABLET, IP),  # an answer that states no lease
    ]
    table, rows = observed(*stated, together=together)
    assert seconds(rows, "mac", "end_reason") == [(0, 60, PHONE, ENDED)]
    assert seconds(table.close(), "mac") == [(60, 3600, TABLET)]


def test_a_lease_of_unknown_length_in_a_servers_log_stands_until_the_address_is_given_to_another() -> None:
    table = Bindings(by_source=True)
    table.observe(claim(0, DHCP, PHONE, IP), 0)
    rows = [table.expire(TEN + 3 * HOUR_NS), table.observe(claim(4 * 3600, DHCP, TABLET, IP), 0)]
    told = seconds(np.concatenate(rows), "mac")
    assert told == [(hour * 3600, (hour + 1) * 3600, PHONE) for hour in range(4)]
    assert len(table) == 1
    on_the_wire = Bindings()
    on_the_wire.observe(claim(0, DHCP, PHONE, IP), 0)
    assert seconds(on_the_wire.expire(TEN + HOUR_NS), "mac") == [(0, 0, PHONE)]


@both_ways
def test_who_only_asks_a_server_does_not_take_anothers_lease(together: bool) -> None:
    stated = [
        claim(0, DHCP, PHONE, IP, lease_s=3600),
        claim(60, DHCP, TABLET, IP),  # the answer to a DHCPINFORM, which states no lease
        claim(70, DHCP, TABLET, IP, released=True),
    ]
    table = Bindings()
    batches = [np.concatenate(stated)] if together else stated
    rows = np.concatenate([table.observe(batch, 0) for batch in batches])
    assert seconds(rows, "mac") == [(60, 60, TABLET)]
    assert seconds(table.close(), "mac") == [(0, 3600, PHONE)]


def test_two_servers_may_lease_one_address() -> None:
    table = Bindings(by_source=True)
    table.observe(claim(0, DHCP, PHONE, IP, lease_s=3000), 0)
    table.observe(claim(60, DHCP, TABLET, IP, lease_s=3000), 1)
    assert seconds(table.close(), "mac", "source") == [(0, 3000, PHONE, 0), (60, 3060, TABLET, 1)]
    of_one_place = Bindings()
    rows = of_one_place.observe(claim(0, DHCP, PHONE, IP, lease_s=3000), 0)
    rows = np.concatenate([rows, of_one_place.observe(claim(60, DHCP, TABLET, IP, lease_s=3000), 1)])
    assert seconds(rows, "mac") == [(0, 60, PHONE)]


@both_ways
def test_two_devices_that_claim_one_address_at_once_are_both_kept(together: bool) -> None:
    stated = [claim(at, ARP, mac, IP) for at in range(0, 600, 60) for mac in (PHONE, TABLET)]
    table, rows = observed(*stated, together=together)
    assert not len(rows)
    assert seconds(table.close(), "mac") == [(0, 540, PHONE), (0, 540, TABLET)]


@both_ways
def test_a_leave_that_an_access_point_tells_late_does_not_end_what_another_told(together: bool) -> None:
    stated = [
        claim(0, ASSOCIATION, PHONE, ap_mac=HALL, ssid=3),
        claim(50, ASSOCIATION, PHONE, ap_mac=ROOF, ssid=4),
        claim(350, ASSOCIATION, PHONE, ap_mac=HALL, released=True),
        claim(400, ASSOCIATION, PHONE, ap_mac=ROOF, released=True),
    ]
    table, rows = observed(*stated, together=together)
    assert seconds(rows, "ap_mac", "ssid", "end_reason") == [
        (0, 50, HALL, 3, GOES_ON),
        (50, 400, ROOF, 4, ENDED),
        (350, 350, HALL, 0, ENDED),
    ]
    assert len(table) == 0


def test_the_ssid_of_the_access_point_left_is_not_that_of_the_next() -> None:
    table, rows = observed(
        claim(0, ASSOCIATION, PHONE, ap_mac=HALL, ssid=3), claim(50, ASSOCIATION, PHONE, ap_mac=ROOF),
        together=False,
    )  # fmt: skip
    rows = np.concatenate([rows, table.observe(claim(60, ASSOCIATION, PHONE, released=True), 0)])
    assert seconds(rows, "ap_mac", "ssid") == [(0, 50, HALL, 3), (50, 60, ROOF, 0)]


def test_what_was_not_known_to_be_open_was_open_until_it_ended() -> None:
    _, rows = observed(
        claim(5, RADIUS, PHONE, IP, session=5, user=6, bytes_in=7, released=True),
        claim(6, ASSOCIATION, TABLET, ap_mac=HALL, released=True),
        claim(7, DHCP, PHONE, IP, released=True),
        together=True,
    )
    assert seconds(rows, "evidence", "user", "ap_mac", "bytes_in") == [
        (5, 5, RADIUS, 6, 0, 7),
        (5, 5, RADIUS, 6, 0, 7),
        (6, 6, ASSOCIATION, 0, HALL, 0),
    ]


def test_what_is_told_late_about_an_earlier_time_is_kept_and_changes_nothing() -> None:
    table, rows = observed(
        claim(100, ASSOCIATION, PHONE, ap_mac=ROOF), claim(40, ASSOCIATION, PHONE, ap_mac=HALL),
        claim(120, ASSOCIATION, PHONE, ap_mac=ROOF, released=True),
        together=False,
    )  # fmt: skip
    assert seconds(rows, "ap_mac") == [(40, 40, HALL), (100, 120, ROOF)]
    assert len(table) == 0


def test_who_is_switched_off_or_on_anew_ends_all_his_sessions() -> None:
    table = Bindings(by_source=True)
    table.observe(np.concatenate([claim(0, RADIUS, PHONE, IP, session=5, ap_mac=HALL)]), 0)
    table.observe(np.concatenate([claim(0, RADIUS, TABLET, "10.0.0.8", session=6, ap_mac=ROOF)]), 0)
    table.observe(np.concatenate([claim(0, RADIUS, TABLET + 1, "10.0.0.9", session=6, ap_mac=HALL)]), 1)
    table.observe(np.concatenate([claim(0, ARP, PHONE, IP)]), 0)
    rows = table.observe(claim(50, RADIUS, 0, ap_mac=HALL, released=True), 0)
    assert seconds(rows, "mac", "source") == [(0, 50, PHONE, 0), (0, 50, PHONE, 0)]
    rows = table.observe(claim(60, RADIUS, 0, released=True), 0)
    assert seconds(rows, "mac", "source") == [(0, 60, TABLET, 0), (0, 60, TABLET, 0)]
    assert len(table) == 3
    assert not len(table.observe(claim(70, RADIUS, 0), 0))  # says nothing of anybody


def test_a_device_that_joins_an_access_point_has_left_every_other_though_each_is_a_source_of_its_own() -> (
    None
):
    table = Bindings(by_source=True)
    rows = [table.observe(claim(0, ASSOCIATION, PHONE, ap_mac=HALL, ssid=3), 0)]
    rows.append(table.observe(claim(50, ASSOCIATION, PHONE, ap_mac=ROOF, ssid=3), 1))
    rows.append(table.observe(claim(60, ASSOCIATION, PHONE, released=True), 0))  # the hall's, without its MAC
    rows.append(table.observe(claim(80, ASSOCIATION, PHONE), 2))  # one without a MAC
    rows.append(table.observe(claim(90, ASSOCIATION, PHONE, released=True), 2))
    told = seconds(np.concatenate(rows), "ap_mac", "ssid", "source")
    assert told == [(0, 50, HALL, 3, 0), (50, 80, ROOF, 3, 1), (60, 60, 0, 0, 0), (80, 90, 0, 0, 2)]
    assert len(table) == 0


def test_a_session_that_another_access_point_took_over_holds_no_address_any_more() -> None:
    table = Bindings(by_source=True)
    rows = [table.observe(claim(0, RADIUS, PHONE, IP, session=5, ap_mac=HALL), 0)]
    rows.append(table.observe(claim(70, RADIUS, PHONE, session=9, ap_mac=ROOF), 1))  # no address yet
    assert seconds(np.concatenate(rows), "session") == [(0, 70, 5), (0, 70, 5)]
    assert len(table) == 1


def test_a_flood_from_one_source_takes_no_others_place() -> None:
    table = Bindings(limit=1000, by_source=True)
    table.observe(np.concatenate([claim(at, DHCP, 50 + at, f"10.1.0.{at + 1}") for at in range(200)]), 0)
    flood = [claim(300 + at / 100, DHCP, 5000 + at, f"10.2.{at // 250}.{at % 250}") for at in range(5000)]
    rows = table.observe(np.concatenate(flood), 1)
    assert (len(table), table.evicted) == (1000, 4200)
    assert set(rows["source"].tolist()) == {1}
    assert np.count_nonzero(table.close()["source"] == 0) == 200


@both_ways
def test_nothing_is_believed_for_longer_than_a_day_however_late_its_end_is_told(together: bool) -> None:
    year = 365 * 24 * 3600
    table, rows = observed(
        claim(0, RADIUS, PHONE, IP, session=5),
        claim(0, RADIUS, PHONE, "10.0.0.9", session=5),
        claim(0, RADIUS, TABLET, "10.0.0.8", session=6),
        claim(year, RADIUS, PHONE, IP, session=5, released=True),
        claim(year, RADIUS, 0, released=True),
        together=together,
    )
    assert len(rows) == 5 * 25 + 2
    assert max(row["until"] - row["from"] for row in rows) < HOUR_NS
    assert sorted(set((rows["until"] // HOUR_NS).tolist()))[-2:] == [
        (TEN + 24 * HOUR_NS) // HOUR_NS, (TEN + year * NS) // HOUR_NS
    ]  # fmt: skip
    assert len(table) == 0


def test_presence_that_is_reported_no_more_falls_silent() -> None:
    table, _ = observed(
        *(claim(at, PRESENCE, PHONE, ap_mac=HALL) for at in range(0, 1200, 300)), together=True
    )
    assert seconds(table.expire(TEN + 1900 * NS), "end_reason") == [(0, 900, EndReason.IDLE_TIMEOUT)]


def test_texts_in_use_are_those_of_what_is_open() -> None:
    table, _ = observed(
        claim(0, RADIUS, PHONE, IP, session=5, user=6, ssid=7),
        claim(1, ASSOCIATION, TABLET, ap_mac=HALL, ssid=9),
        claim(2, RADIUS, PHONE, IP, session=5, released=True),
        together=False,
    )
    assert table.texts().tolist() == [0, 9]


ANYTHING = st.fixed_dictionaries(
    {
        "at_s": st.one_of(st.integers(0, 7200), st.integers(-(10**9), 10**9)),
        "evidence": st.sampled_from([*Evidence][:-1]),
        "mac": st.integers(0, 2),
        "ip": st.sampled_from(["", IP, "2001:db8::7"]),
        "released": st.booleans(),
    }
    | {name: st.integers(0, 2) for name in ("session", "user", "ssid", "ap_mac", "bytes_in", "class")}
)


@settings(max_examples=150, deadline=None)
@given(
    told=st.lists(ANYTHING, max_size=20),
    step=st.integers(1, 20),
    by_source=st.booleans(),
    expire=st.booleans(),
)
def test_whatever_is_told_the_parts_are_bounded_and_the_table_ends_empty(
    told: list[dict[str, int]], step: int, by_source: bool, expire: bool
) -> None:
    table, rows = Bindings(limit=8, by_source=by_source), [np.zeros(0, BINDING)]
    claims = [claim(**each) for each in told]  # type: ignore[arg-type]
    for at in range(0, len(claims), step):
        rows.append(table.observe(np.concatenate(claims[at : at + step]), at % 2))
        open_now = table.changed()
        assert (open_now["from"] <= open_now["until"]).all()
        if expire:
            rows.append(table.expire(int(claims[at]["seen"][0])))
    rows.append(table.close())
    closed = np.concatenate(rows)
    assert len(table) == 0
    assert len(closed) <= 2 * 26 * len(told)
    assert (closed["from"] <= closed["until"]).all()
    assert (closed["from"] // HOUR_NS == closed["until"] // HOUR_NS).all()
    assert ((closed["mac"] != 0) | (closed["ip_lo"] != 0)).all()


TOLD = st.tuples(st.integers(0, 50), st.integers(1, 3), st.booleans())  # minute, MAC, released


def holders(told: list[tuple[int, int, bool]]) -> dict[int, set[int]]:
    """Who holds an address in each minute: leases of an hour and releases, by a plain loop."""
    found = {}
    for minute in range(120):
        now = since = 0
        for at, mac, released in told:
            if at <= minute and not released:
                now, since = mac, at
            elif at <= minute and mac == now:
                now = 0
        if now and minute < since + 60:
            found[minute] = {now}
    return found


@settings(max_examples=150, deadline=None)
@given(told=st.lists(TOLD, max_size=14, unique_by=lambda one: one[0]), cuts=st.lists(st.integers(0, 14)))
def test_an_address_that_is_given_away_has_one_holder_at_every_instant(
    told: list[tuple[int, int, bool]], cuts: list[int]
) -> None:
    told = sorted(told)
    bounds = sorted({0, len(told), *(cut for cut in cuts if cut < len(told))})
    table, rows = Bindings(), [np.zeros(0, BINDING)]
    for begin, end in itertools.pairwise(bounds):
        batch = [claim(at * 60, DHCP, mac, IP, lease_s=0 if released else 3600, released=released)
                 for at, mac, released in told[begin:end]]  # fmt: skip
        rows.append(table.observe(np.concatenate(batch), 0))
        if begin in cuts:
            rows.append(table.cut(TEN + told[end - 1][0] * 60 * NS))
    rows.append(table.expire(TEN + 10 * HOUR_NS))
    found: dict[int, set[int]] = defaultdict(set)
    for row, minute in itertools.product(np.concatenate(rows), range(120)):
        if row["from"] <= TEN + (minute * 60 + 30) * NS <= row["until"]:  # between what happens
            found[minute].add(int(row["mac"]))
    assert found == holders(told)
