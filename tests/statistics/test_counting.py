"""Totals of rows: against the same rules in plain sets, and what must hold whatever the rows are."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.classify.categories import Category, OsFamily
from appliance.config.statistics import ACCESS_POINT_LIMIT
from appliance.model.addresses import ip_halves, mac_text
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS
from appliance.model.networks import Networks
from appliance.statistics.anonymity import CATEGORY_BITS
from appliance.statistics.counting import GRACE_NS, OPEN_DAYS, OPEN_HOURS, Counting
from appliance.statistics.distinct import CELL_LIMIT
from appliance.statistics.places import EVERYWHERE, PLACE_LIMIT, Places, is_place
from appliance.statistics.statements import DayStatement, HourStatement, Statement, Users
from tests.statistics import model

HOUR = 1_700_000_000 // 3600
AP = {0x02AA_0000_0001: "02:aa:00:00:00:01", 0x00AA_0000_0002: "00:aa:00:00:00:02"}


def draw() -> Callable[[int], bytes]:
    numbers = itertools.count(1)
    return lambda size: np.random.default_rng(next(numbers)).bytes(size)


def counting() -> Counting:
    return Counting(Networks.of(["10.0.0.0/8", "2001:db8::/32"]), list(AP.values()), draw())


def hours(statements: list[Statement]) -> list[HourStatement]:
    return [one for one in statements if isinstance(one, HourStatement)]


def days(statements: list[Statement]) -> list[DayStatement]:
    return [one for one in statements if isinstance(one, DayStatement)]


ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),  # MAC, 0 none
        st.booleans(),  # behind a router
        st.sampled_from([(0, 0xFFFF_0A00_0001), (0, 0xFFFF_0A00_0002), (1 << 61, 1), (1 << 61, 2), (3, 3)]),
        st.sampled_from([0, *AP, 0x00BB_0000_0001]),
        st.sampled_from([-1, 0, 20, 4094]),
        st.sampled_from(list(Category)),
        st.integers(0, 5000),
        st.integers(1, 5),
    ),
    max_size=40,
)


def made(drawn: list[tuple[Any, ...]]) -> tuple[Any, Any]:
    rows = model.rows(len(drawn))
    for row, (mac, routed, (hi, lo), ap, vlan, _, octets, reason) in zip(rows, drawn, strict=True):
        row["client_mac"], row["behind_router"], row["ap_mac"], row["vlan"] = mac, routed, ap, vlan
        row["client_ip_hi"], row["client_ip_lo"] = hi, lo
        row["bytes_out"], row["bytes_in"], row["end_reason"] = octets // 3, octets - octets // 3, reason
        row["first_seen"] = HOUR * HOUR_NS
    return rows, np.array([one[5] for one in drawn], np.uint8)


@settings(max_examples=400, deadline=None)
@given(ROWS, st.integers(1, 7))
def test_an_hour_is_stored_as_the_rules_say_in_plain_sets(drawn: list[Any], parts: int) -> None:
    rows, categories = made(drawn)
    totals = counting()
    for part in np.array_split(np.arange(len(rows)), parts):
        totals.add(rows[part], categories[part])
    stored = hours(totals.finish())
    if not len(rows):
        assert stored == []
        return
    [hour] = stored
    uses = [Category(category).name.lower() for category in categories]
    found = model.cells(rows, uses, AP)
    everybody = model.Cell()
    for cell in found.values():
        everybody.join(cell)
    expected = model.merged(found)
    if expected is None:
        assert everybody.count < 3
        assert (hour.users, hour.uses) == (None, ())
        return
    assert hour.users == Users(everybody.count)
    told = {(use.place, use.use): (use.octets, use.connections, use.clients.least) for use in hour.uses}
    assert told == {key: (cell.octets, cell.connections, cell.count) for key, cell in expected.items()}
    # What must hold whatever the rules are: nobody stands alone, and nothing is missing from the sum.
    assert all(use.clients.least >= 3 and use.clients.exact for use in hour.uses)
    assert sum(use.octets for use in hour.uses) == int(rows["bytes_out"].sum() + rows["bytes_in"].sum())
    ended = int((rows["end_reason"] != model.ACTIVE_TIMEOUT).sum())
    assert sum(use.connections for use in hour.uses) == ended


def clients(count: int, first: int = 1, hour: int = HOUR) -> Any:
    """A row of each of so many clients."""
    rows = model.rows(count)
    rows["client_mac"] = np.arange(first, first + count)
    rows["first_seen"] = hour * HOUR_NS
    rows["bytes_out"] = 10
    return rows


def of(category: Category, rows: Any) -> Any:
    return np.full(len(rows), category, np.uint8)


def add(totals: Counting, rows: Any, category: Category = Category.WEB) -> None:
    totals.add(rows, of(category, rows))


def test_two_that_stand_apart_take_the_smallest_cell_with_them() -> None:
    """Else the octets of the two would be what the coverage states less the sum of what is stored."""
    totals = counting()
    add(totals, clients(9), Category.WEB)
    add(totals, clients(5), Category.VIDEO)
    lonely = clients(2, first=100)
    lonely["vlan"] = 7
    add(totals, lonely, Category.MAIL)
    [hour] = hours(totals.finish())
    assert {(use.place, use.use): (use.clients.least, use.octets) for use in hour.uses} == {
        ("none", "web"): (9, 90),
        ("all", "other"): (7, 70),
    }
    assert hour.users == Users(11)


def test_a_row_counts_in_the_hour_of_its_start_whatever_order_rows_come_in() -> None:
    rows = np.concatenate([clients(4, hour=HOUR + number) for number in (2, 0, 1, 0)])
    rows["first_seen"][:4] += HOUR_NS - 1
    totals = counting()
    add(totals, rows)
    stored = hours(totals.finish())
    assert {hour.start_ns // HOUR_NS - HOUR: hour.uses[0].octets for hour in stored} == {0: 80, 1: 40, 2: 40}


def test_an_hour_is_closed_five_minutes_after_its_end_and_a_late_row_opens_it_again() -> None:
    totals = counting()
    add(totals, clients(5))
    over_ns = (HOUR + 1) * HOUR_NS
    assert totals.close(over_ns + 5 * MINUTE_NS - 1) == []
    assert [hour.users for hour in hours(totals.close(over_ns + GRACE_NS))] == [Users(5)]
    add(totals, clients(2))
    late = totals.close(over_ns + GRACE_NS)
    assert [(hour.users, hour.uses) for hour in hours(late)] == [(None, ())]
    assert totals.close(over_ns + GRACE_NS) == []
    assert [day.users for day in days(totals.finish())] == [Users(5)]


def test_few_hours_are_open_at_once() -> None:
    totals = counting()
    for number in range(40):
        add(totals, clients(3, hour=HOUR + number * 24))
    assert len(hours(totals.close(0))) == 40 - OPEN_HOURS
    left = totals.finish()
    assert (len(hours(left)), len(days(left))) == (OPEN_HOURS, OPEN_DAYS)


def test_a_flood_of_invented_clients_takes_no_memory_and_hides_nobody() -> None:
    totals = counting()
    add(totals, clients(50), Category.VIDEO)
    for number in range(12):
        add(totals, clients(100_000, first=1000 + number * 100_000), Category.OTHER)
    for category in (Category.WEB, Category.MAIL):
        add(totals, clients(400_000, first=1000), category)
    [hour] = hours(totals.finish())
    told = {use.use: use.clients for use in hour.uses}
    assert told["video"] == Users(50)
    for use, truth in (("other", 1_200_000), ("web", 400_000), ("mail", 400_000)):
        assert 50_000 < told[use].least <= truth
        assert not told[use].exact
    assert hour.users
    assert not hour.users.exact
    assert {use.use: use.octets for use in hour.uses} == {
        "video": 500, "other": 12_000_000, "web": 4_000_000, "mail": 4_000_000,
    }  # fmt: skip


def test_the_systems_of_a_day_stand_for_three_or_not_at_all() -> None:
    totals = counting()
    day_ns = HOUR * HOUR_NS // DAY_NS * DAY_NS
    add(totals, clients(30))

    def sight(system: OsFamily, *macs: int) -> None:
        count = len(macs)
        totals.sight(np.full(count, day_ns), np.array(macs, np.uint64), np.full(count, system, np.uint8))

    sight(OsFamily.ANDROID, 1, 2, 3, 4, 4, 4)
    sight(OsFamily.WINDOWS, 5, 6)
    sight(OsFamily.MACOS, 7)
    [drafted] = totals.days()
    assert drafted.systems == (("other", Users(3)), ("android", Users(4)))
    assert (drafted.users, drafted.too_few) == (Users(30), False)
    sight(OsFamily.WINDOWS, 8)
    [day] = days(totals.finish())
    assert day.systems == (("windows", Users(3)), ("android", Users(4)))
    assert day.too_few


def test_every_hour_and_day_has_a_key_of_its_own_and_forgets_it() -> None:
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(np.random.default_rng(len(drawn)).bytes(size))
        return drawn[-1]

    totals = Counting(Networks.of([]), [], draw)
    for number in range(3):
        add(totals, clients(4, hour=HOUR + 24 * number))
    assert len(drawn) == len(set(drawn)) == 6
    held = [value for value in vars(totals).values() if isinstance(value, dict) for value in value.values()]
    keys = [one._clients._key for one in held]
    assert all(key.any() for key in keys)
    totals.finish()
    assert not any(key.any() for key in keys)


def peers(rows: Any, texts: list[str], mac: int) -> Any:
    rows["peer_ip_hi"], rows["peer_ip_lo"] = zip(*map(ip_halves, texts), strict=True)
    rows["peer_mac"] = mac
    return rows


def test_a_router_is_nobodys_device_whenever_it_gives_itself_away() -> None:
    totals = counting()
    add(totals, clients(1, first=99), Category.NAME_SERVICE)  # the router itself, before it is known
    add(totals, peers(clients(2), ["1.1.1.1", "2a00::1"], mac=99))
    stored = totals.finish()
    assert [hour.users for hour in hours(stored)] == [None]
    assert [day.users for day in days(stored)] == [None]


def test_what_stands_for_no_address_of_the_internet_is_no_router() -> None:
    for peer in (
        "10.1.2.3",
        "192.168.77.1",
        "2001:db8::7",
        "fe80::1",
        "fd00::1",
        "169.254.1.1",
        "224.0.0.251",
    ):
        totals = counting()
        add(totals, clients(3))
        add(totals, peers(clients(1), [peer], mac=3))
        assert [hour.users for hour in hours(totals.finish())] == [Users(3)], peer


def test_every_cell_has_a_number_of_its_own() -> None:
    """As many access points as settings may declare, every VLAN, every category."""
    assert max(Category) < 1 << CATEGORY_BITS
    assert min(Category) > 0
    macs = [mac_text(0x0200_0000_0000 + number) for number in range(ACCESS_POINT_LIMIT)]
    places = Places(macs)
    rows = model.rows(ACCESS_POINT_LIMIT + 4096)
    rows["ap_mac"][:ACCESS_POINT_LIMIT] = 0x0200_0000_0000 + np.arange(ACCESS_POINT_LIMIT)
    rows["vlan"][ACCESS_POINT_LIMIT:] = np.arange(-1, 4095)
    numbers = places.of(rows).tolist()
    assert len(set(numbers)) == len(rows)
    assert EVERYWHERE not in numbers
    assert max(numbers) < EVERYWHERE < PLACE_LIMIT
    assert PLACE_LIMIT << CATEGORY_BITS == CELL_LIMIT
    texts = [places.text(number) for number in numbers]
    assert texts[:ACCESS_POINT_LIMIT] == macs
    assert texts[ACCESS_POINT_LIMIT:] == ["none", *(f"vlan {vlan}" for vlan in range(4095))]
    assert all(map(is_place, texts))
