"""What flow feeds say of who held an address."""

import numpy as np
import pytest

from appliance.identity.bindings import Bindings
from appliance.identity.inferred import claims_of
from appliance.model.addresses import ip_halves
from appliance.model.instants import HOUR_NS, MINUTE_NS, NS, from_iso
from appliance.model.networks import Networks
from appliance.model.reasons import EndReason, Evidence
from appliance.model.rows import STATED

TEN = from_iso("2026-11-21T10:00:00Z")
CLIENTS = Networks.of(["10.0.0.0/8", "2001:db8:1::/48"])
PHONE, TABLET, SERVER = 0x02AA00000001, 0x02AA00000002, 0x5E0000000009


def flow(src: str, dst: str, first: int, last: int, **fields: int) -> np.ndarray:
    row = np.zeros(1, STATED)
    row["src_ip_hi"], row["src_ip_lo"] = ip_halves(src)
    row["dst_ip_hi"], row["dst_ip_lo"] = ip_halves(dst)
    row["first"], row["last"], row["vlan"] = TEN + first, TEN + last, -1
    for name, value in fields.items():
        row[name] = value
    return row


def told(rows: list[np.ndarray]) -> list[tuple[int, int, int]]:
    """(last octet, MAC, minute) of each claim."""
    claims = claims_of(np.concatenate([np.zeros(0, STATED), *rows]), CLIENTS)
    assert set(claims["evidence"].tolist()) <= {Evidence.FLOW}
    assert (claims["until"] >= claims["seen"]).all()
    return sorted(
        (int(claim["ip_lo"]) & 0xFF, int(claim["mac"]), (int(claim["seen"]) - TEN) // MINUTE_NS)
        for claim in claims
    )


def test_only_stations_of_the_client_networks_are_believed_to_hold_their_address() -> None:
    rows = [
        flow("10.0.0.7", "192.0.2.1", 0, 5, src_mac=PHONE, dst_mac=SERVER),
        flow("192.0.2.1", "10.0.0.8", 0, 5, src_mac=SERVER, dst_mac=TABLET),
        flow("2001:db8:1::9", "2001:db8:2::9", 0, 5, src_mac=PHONE, dst_mac=SERVER),
        flow("10.0.0.9", "10.0.0.7", 0, 5, src_mac=TABLET, dst_mac=PHONE),
        flow("10.0.0.11", "192.0.2.1", 0, 5),
    ]
    assert told(rows) == [(7, PHONE, 0), (8, TABLET, 0), (9, PHONE, 0), (9, TABLET, 0)]
    assert told([]) == []


def test_a_holder_is_named_once_a_minute_from_the_first_flow_to_the_last_end() -> None:
    rows = [flow("10.0.0.7", "192.0.2.1", at, at + 10, src_mac=PHONE) for at in range(0, MINUTE_NS, 10**9)]
    rows.insert(30, flow("10.0.0.7", "192.0.2.1", 5, 3 * MINUTE_NS, src_mac=PHONE))
    rows.append(flow("10.0.0.7", "192.0.2.1", 2 * MINUTE_NS, 2 * MINUTE_NS + 1, src_mac=PHONE))
    assert told(rows) == [(7, PHONE, 0), (7, PHONE, 2)]
    claims = claims_of(np.concatenate(rows), CLIENTS)
    assert claims["seen"].tolist() == [TEN, TEN + 2 * MINUTE_NS]
    assert claims["until"].tolist() == [TEN + 3 * MINUTE_NS, TEN + 2 * MINUTE_NS + 1]


@pytest.mark.parametrize("length_s", [0, 50, 600, 1800, 4200, 23 * 3600])
@pytest.mark.parametrize("begin_s", [0, 1, 3000])
def test_a_flow_that_names_a_station_is_evidence_for_all_of_its_time(length_s: int, begin_s: int) -> None:
    first, last = begin_s * NS, (begin_s + length_s) * NS
    table = Bindings(by_source=True)
    claims = claims_of(flow("10.0.0.7", "192.0.2.1", first, last, src_mac=PHONE), CLIENTS)
    rows = table.observe(claims, 0)
    rows = np.sort(np.concatenate([rows, table.expire(TEN + last + 16 * MINUTE_NS)]), order="from")
    assert len(table) == 0
    assert (rows["from"][0], rows["until"][-1]) == (TEN + first, TEN + last)
    assert (rows["from"][1:] == rows["until"][:-1] + 1).all()
    assert rows["end_reason"][-1] == EndReason.IDLE_TIMEOUT


def test_a_long_flow_that_is_told_after_shorter_ones_leaves_no_hole_and_no_backdated_user() -> None:
    table = Bindings(by_source=True)
    short = flow("10.0.0.7", "192.0.2.1", 30 * MINUTE_NS, 40 * MINUTE_NS, src_mac=PHONE, user=4)
    long = flow("10.0.0.7", "192.0.2.1", 0, 70 * MINUTE_NS, src_mac=PHONE)
    rows = [table.observe(claims_of(each, CLIENTS), 0) for each in (short, long)]
    held = np.concatenate([*rows, table.close()])
    spans = [
        (row["user"], (row["from"] - TEN) // MINUTE_NS, (row["until"] - TEN) // MINUTE_NS) for row in held
    ]
    assert sorted(spans) == [(0, 0, 59), (0, 60, 70), (4, 30, 40)]


def test_a_flow_without_end_is_evidence_for_a_day() -> None:
    last = 20 * 24 * HOUR_NS
    (claim,) = claims_of(flow("10.0.0.7", "192.0.2.1", 0, last, src_mac=PHONE), CLIENTS)
    assert (claim["seen"], claim["until"]) == (TEN + last - 24 * HOUR_NS, TEN + last)


def test_a_user_without_a_mac_is_a_holder_too() -> None:
    rows = [flow("10.0.0.7", "192.0.2.1", 0, 0, user=4, ssid=2, ap_mac=9)]
    (claim,) = claims_of(np.concatenate(rows), CLIENTS)
    assert (claim["mac"], claim["user"], claim["ssid"], claim["ap_mac"]) == (0, 4, 2, 9)
    inside = claims_of(flow("10.0.0.7", "10.0.0.8", 0, 0, user=4, dst_mac=TABLET, ap_mac=9), CLIENTS)
    assert sorted(inside[["mac", "user", "ap_mac"]].tolist()) == [(0, 4, 9), (TABLET, 0, 0)]
