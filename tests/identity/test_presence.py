"""Who is there: against a plain dictionary, in a flood, over a day, and nothing left of who is dropped."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.presence import Presence
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, NS
from appliance.model.reasons import Evidence
from appliance.model.rows import CLAIM, FED_TRAFFIC, TRAFFIC

T = 20_000 * DAY_NS
AP, OTHER_AP = 0x0250_5E10_0001, 0x0250_5E10_0002
SILENT = 15 * MINUTE_NS


def rows(*told: tuple[int, int, int, int], dtype: np.dtype[np.void] = TRAFFIC) -> np.ndarray:
    made = np.zeros(len(told), dtype)
    for at, (mac, ap_mac, first, last) in enumerate(told):
        made[at]["client_mac"], made[at]["ap_mac"] = mac, ap_mac
        made[at]["first_seen"], made[at]["last_seen"] = first, last
    return made


def claims(*told: tuple[int, int, int, Evidence, bool]) -> np.ndarray:
    made = np.zeros(len(told), CLAIM)
    for at, (mac, ap_mac, seen, evidence, released) in enumerate(told):
        made[at]["mac"], made[at]["ap_mac"], made[at]["seen"] = mac, ap_mac, seen
        made[at]["evidence"], made[at]["released"] = evidence, released
    return made


def shown(presence: Presence) -> dict[int, tuple[int, int, int]]:
    there = presence.present()
    assert (np.diff(there["mac"].astype(np.int64)) > 0).all()
    return {int(one["mac"]): (int(one["ap_mac"]), int(one["since"]), int(one["last"])) for one in there}


def test_a_device_is_there_since_it_was_first_heard_of_where_it_was_heard_of_last() -> None:
    presence = Presence()
    presence.flows(rows((5, AP, T, T + NS), (7, 0, T, T)))
    presence.flows(rows((5, 0, T + MINUTE_NS, T + 2 * MINUTE_NS), dtype=FED_TRAFFIC))
    presence.claims(claims((7, OTHER_AP, T + NS, Evidence.PRESENCE, False)))
    presence.flows(rows((5, OTHER_AP, T + 3 * MINUTE_NS, T + 3 * MINUTE_NS)))
    presence.expire(T + 4 * MINUTE_NS)
    assert shown(presence) == {5: (OTHER_AP, T, T + 3 * MINUTE_NS), 7: (OTHER_AP, T, T + NS)}


def test_who_is_silent_for_a_quarter_of_an_hour_is_gone_and_comes_anew() -> None:
    presence = Presence()
    presence.flows(rows((5, AP, T, T)))
    presence.expire(T + SILENT)
    assert len(presence) == 1
    presence.expire(T + SILENT + 1)
    assert len(presence) == 0
    presence.flows(rows((5, AP, T + HOUR_NS, T + HOUR_NS)))
    assert shown(presence)[5][1] == T + HOUR_NS


def test_nobody_is_a_device_who_is_a_group_a_router_or_behind_one() -> None:
    presence = Presence()
    behind = rows((5, 0, T, T))
    behind["behind_router"] = True
    presence.flows(behind)
    presence.flows(rows((0, 0, T, T), (0x0100_5E00_0001, 0, T, T), (0xFFFF_FFFF_FFFF, 0, T, T), (9, 0, T, T)))
    assert list(shown(presence)) == [9]
    presence.are_routers(np.array([9], np.uint64))
    assert len(presence) == 0
    presence.claims(claims((9, 0, T, Evidence.ARP, False)))
    assert len(presence) == 0


def test_who_was_told_to_have_come_stays_until_he_is_told_to_have_gone() -> None:
    presence = Presence()
    came = [
        (mac, AP, T, evidence, False) for mac, evidence in ((5, Evidence.ASSOCIATION), (7, Evidence.RADIUS))
    ]
    presence.claims(claims(*came, (9, 0, T, Evidence.DHCP, False)))
    presence.expire(T + HOUR_NS)
    assert list(shown(presence)) == [5, 7]  # a lease stands for hours after its device has left
    presence.claims(claims((5, AP, T + HOUR_NS, Evidence.ASSOCIATION, True)))
    assert list(shown(presence)) == [7]
    presence.flows(rows((7, AP, T + HOUR_NS, T + 2 * HOUR_NS)))
    presence.claims(claims((7, AP, T + HOUR_NS, Evidence.RADIUS, True)))  # another device of his session
    presence.expire(T + 2 * HOUR_NS + SILENT)
    assert list(shown(presence)) == [7]
    presence.expire(T + 2 * HOUR_NS + SILENT + 1)
    assert len(presence) == 0


def test_nothing_older_than_a_day_is_known() -> None:
    presence = Presence()
    for hour in range(72):
        presence.claims(claims((5, AP, T + hour * HOUR_NS, Evidence.ASSOCIATION, False)))
        presence.expire(T + hour * HOUR_NS)
    assert shown(presence)[5] == (AP, T + 47 * HOUR_NS, T + 71 * HOUR_NS)
    presence.expire(T + 71 * HOUR_NS + DAY_NS + 1)
    assert len(presence) == 0


def test_a_clock_that_was_set_back_leaves_nobody_for_ever() -> None:
    presence = Presence()
    presence.flows(rows((5, AP, T + DAY_NS, T + DAY_NS)))
    presence.expire(T)
    assert len(presence) == 0


def test_a_flood_of_invented_devices_drives_out_nobody_who_stayed() -> None:
    presence = Presence(limit=100)
    presence.flows(rows(*((mac, AP, T, T + MINUTE_NS) for mac in range(2, 42, 2))))
    draw = np.random.default_rng(1)
    for step in range(50):
        forged = draw.integers(1, 1 << 39, 300, dtype=np.uint64) << np.uint64(1)
        at = T + MINUTE_NS + step * NS
        presence.flows(rows(*((int(mac), AP, at, at) for mac in forged)))
        assert len(presence) == 100
    assert set(range(2, 42, 2)) < set(shown(presence))


def test_of_who_is_dropped_no_byte_is_left() -> None:
    presence = Presence(limit=8)
    presence.flows(rows((0x0011_2233_4455, AP, T, T), (0x0011_2233_4457, AP, T, T + HOUR_NS)))
    mark = np.uint64(0x0011_2233_4455).tobytes()[:6]
    assert mark in presence._table.tobytes()
    presence.expire(T + HOUR_NS)
    assert mark not in presence._table.tobytes()
    assert len(presence) == 1
    presence.forget()
    assert not any(presence._table.tobytes())


told = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([0, AP, OTHER_AP]), st.integers(0, 50), st.integers(0, 10)),
    min_size=1,
    max_size=6,
)


@given(st.lists(told, max_size=6))
@settings(deadline=None)
def test_it_is_what_a_dictionary_would_hold(batches: list[list[tuple[int, int, int, int]]]) -> None:
    """Within the quarter of an hour in which nobody is gone; instants in tens of seconds."""
    presence = Presence()
    known: dict[int, list[int]] = {}
    for batch in batches:
        made = [(2 * mac, ap, T + first * NS, T + (first + length) * NS) for mac, ap, first, length in batch]
        presence.flows(rows(*made))
        for mac, ap, first, last in sorted(made, key=lambda one: one[3]):
            held = known.setdefault(mac, [0, first, last])
            if ap and (last >= held[2] or not held[0]):
                held[0] = ap
            held[1], held[2] = min(held[1], first), max(held[2], last)
    found = shown(presence)
    assert {mac: (since, last) for mac, (_, since, last) in found.items()} == {
        mac: (since, last) for mac, (_, since, last) in known.items()
    }
    for mac, (ap, _, last) in found.items():
        latest = {each for batch in batches for number, each, first, length in batch
                  if 2 * number == mac and each and T + (first + length) * NS == last}  # fmt: skip
        assert ap in latest or not latest
