"""What flow feeds say of who held an address."""

import numpy as np

from appliance.identity.inferred import claims_of
from appliance.model.addresses import ip_halves
from appliance.model.instants import MINUTE_NS, from_iso
from appliance.model.networks import Networks
from appliance.model.reasons import Evidence
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
    claims = claims_of(np.concatenate([np.zeros(0, STATED), *rows]), CLIENTS)
    assert set(claims["evidence"].tolist()) <= {Evidence.FLOW}
    assert not claims["until"].any()
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


def test_a_holder_is_named_once_a_minute_and_when_a_flow_was_last_seen() -> None:
    rows = [flow("10.0.0.7", "192.0.2.1", at, at + 10, src_mac=PHONE) for at in range(0, MINUTE_NS, 10**9)]
    rows.append(flow("10.0.0.7", "192.0.2.1", 0, 3 * MINUTE_NS, src_mac=PHONE))
    assert told(rows) == [(7, PHONE, 0), (7, PHONE, 3)]


def test_a_user_without_a_mac_is_a_holder_too() -> None:
    rows = [flow("10.0.0.7", "192.0.2.1", 0, 0, user=4, ssid=2, ap_mac=9)]
    (claim,) = claims_of(np.concatenate(rows), CLIENTS)
    assert (claim["mac"], claim["user"], claim["ssid"], claim["ap_mac"]) == (0, 4, 2, 9)
    inside = claims_of(flow("10.0.0.7", "10.0.0.8", 0, 0, user=4, dst_mac=TABLET, ap_mac=9), CLIENTS)
    assert sorted(inside[["mac", "user", "ap_mac"]].tolist()) == [(0, 4, 9), (TABLET, 0, 0)]
