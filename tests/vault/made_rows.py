"""Rows for the tests of the vault: few clients and destinations, drawn from a seed."""

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4
from appliance.model.instants import HOUR_NS, start_of
from appliance.model.reasons import Evidence
from appliance.model.rows import BINDING, FED_TRAFFIC, TRAFFIC
from appliance.vault.day_keys import DayKey
from appliance.vault.names import VaultName

DAY = dt.date(2026, 3, 14)


def day_key(vault: VaultName = VaultName.TRAFFIC, day: dt.date = DAY) -> DayKey:
    return DayKey(vault, day, "0123456789abcdef", bytes(range(32)))


def traffic(count: int, seed: int = 1, hour: int = 14, day: dt.date = DAY) -> NDArray[np.void]:
    """`count` closed rows in one hour of a day: 40 clients, 300 destinations, some without MAC or ports.

    Most came through one of three APs, some from behind a router.
    """
    draw = np.random.default_rng(seed)
    rows = np.zeros(count, TRAFFIC)
    rows["first_seen"] = start_of(day) + hour * HOUR_NS + draw.integers(0, HOUR_NS - 10**9, count)
    rows["last_seen"] = rows["first_seen"] + draw.integers(0, 10**9, count)
    client = draw.integers(0, 40, count)
    rows["client_ip_lo"] = np.uint64(MAPPED_V4 | 0x0A000000) + client.astype(np.uint64)
    rows["client_mac"] = np.where(client < 35, 0x02AA_0000_0000 + client, 0)
    peer = draw.integers(0, 300, count)
    rows["peer_ip_hi"] = np.where(peer < 100, 0x2001_0DB8_0000_0000, 0)
    rows["peer_ip_lo"] = np.where(peer < 100, peer, MAPPED_V4 | 0xC0000200 + peer)
    rows["peer_mac"] = 0x5E000101
    rows["protocol"] = draw.choice([6, 17, 1], count)
    icmp = rows["protocol"] == 1
    rows["client_port"] = np.where(icmp, -1, draw.integers(1024, 65536, count))
    rows["peer_port"] = np.where(icmp, -1, draw.choice([53, 443], count))
    rows["vlan"] = draw.choice([-1, 7], count)
    for column in ("packets_out", "packets_in", "bytes_out", "bytes_in"):
        rows[column] = draw.integers(0, 1 << 33, count)
    rows["end_reason"] = draw.choice([1, 3, 4], count)
    rows["source"] = draw.integers(0, 2, count)
    rows["ap_mac"] = draw.choice([0, 0x02B0_0000_0001, 0x02B0_0000_0002, 0x02B0_0000_0003], count)
    rows["behind_router"] = draw.random(count) < 0.1
    return rows


TEXTS = ["", "Hôtel du Port", "alice@hotel", "8F00A1B2", "guests"]


def fed(count: int, seed: int = 1) -> NDArray[np.void]:
    """`traffic` as feeds tell it: half of it with an address after NAT, some at the time of receipt."""
    draw = np.random.default_rng(seed)
    rows = np.zeros(count, FED_TRAFFIC)
    told = traffic(count, seed)
    for name in told.dtype.names or ():
        rows[name] = told[name]
    translated = draw.random(count) < 0.5
    rows["nat_ip_lo"] = np.where(translated, MAPPED_V4 | 0xC0000201, 0)
    rows["nat_port"] = np.where(translated, draw.integers(1024, 65536, count), 0)
    rows["received"] = rows["last_seen"] + draw.integers(0, 10**10, count)
    rows["received"][::7] = 0
    rows["by_receipt"] = draw.random(count) < 0.2
    return rows


def held(day: dt.date = DAY) -> NDArray[np.void]:
    """Bindings of every kind: a session, an association, a lease, an ARP claim, two translations."""
    rows = np.zeros(6, BINDING)
    rows["from"] = start_of(day) + 14 * HOUR_NS + np.arange(6)
    rows["until"] = rows["from"] + 10**12
    rows["evidence"] = [Evidence.RADIUS, Evidence.ASSOCIATION, Evidence.DHCP, Evidence.ARP] + [
        Evidence.NAT
    ] * 2
    rows["vlan"], rows["end_reason"] = [-1, -1, 7, -1, -1, -1], [3, 2, 3, 1, 3, 2]
    rows["source"] = [1, 1, 0, 0, 1, 1]
    rows["ip_lo"] = MAPPED_V4 | 0x0A000007
    rows["ip_lo"][1] = 0
    rows["mac"][:4] = 0x02AA_0000_0007
    rows["ap_mac"][:2], rows["ssid"][:2] = 0x02B0_0000_0001, 1
    rows["user"][0], rows["session"][0], rows["class"][0] = 2, 3, 4
    rows["bytes_out"][0], rows["bytes_in"][0] = 0, 5_000_000_000
    rows["nat_ip_lo"][4:] = MAPPED_V4 | 0xC0000201
    rows["nat_port"][4:], rows["nat_port_last"][4:] = [40001, 1024], [40001, 2047]
    rows["port"][4], rows["protocol"][4] = 50000, 6
    rows["peer_ip_lo"][4], rows["peer_port"][4] = MAPPED_V4 | 0xC6336401, 443
    return rows
