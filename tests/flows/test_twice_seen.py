"""Conversations that scapy makes, seen once and seen several times, come to the same records."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.networks import Networks
from appliance.wire.decode import Decoder
from tests.flows.model import IDLE, Packet, S, Side, columns
from tests.flows.test_duplicates import many
from tests.forge import reading

FORGE = "twice_seen.py"
START = 1_700_000_000 * S
CLIENT, ROUTER = 0x020000000007, 0x029999999999
WAYS = (
    *("both directions of two ports", "three mirrors", "both sides of a router"),
    *("a router between two VLANs", "untagged and trunk", "tunnel and plain", "router, both sides twice"),
)
ALIKE = ("both directions of two ports", "three mirrors", "tunnel and plain", "router, both sides twice")
"""In these a packet's sightings do not differ in anything."""

SAME = ("client_ip_hi", "client_ip_lo", "client_mac", "peer_ip_hi", "peer_ip_lo", "client_port", "peer_port")
SAME += ("protocol", "packets_out", "bytes_out", "packets_in", "bytes_in", "behind_router")


@cache
def forged() -> dict[str, list[tuple[int, bytes]]]:
    ways = json.loads(reading.printed(FORGE))
    return {name: [(at, bytes.fromhex(frame)) for at, frame in seen] for name, seen in ways.items()}


def batch(seen: list[tuple[int, bytes]]) -> Frames:
    sizes = np.array([len(frame) for _, frame in seen], np.int64)
    data = np.frombuffer(b"".join(frame for _, frame in seen) + b"\xa5" * PADDING_BYTES, np.uint8)
    time = START + np.array([at for at, _ in seen], np.int64)
    return Frames(data, np.cumsum(sizes) - sizes, sizes, sizes, time, ETHERNET)


def recorded(seen: list[tuple[int, bytes]], size: int) -> tuple[NDArray[np.void], int]:
    """Rows of what was seen, in batches of `size` frames, and how many duplicates there were."""
    multipliers = np.random.default_rng(7).integers(0, 2**63, MULTIPLIERS, np.uint64)
    meter = Meter(Networks.of(["10.0.0.0/8", "2001:db8::/32"]), Limits(IDLE, IDLE, 10_000), multipliers)
    decoder, rows = Decoder(), []
    for begin in range(0, len(seen), size):
        frames = batch(seen[begin : begin + size])
        rows.append(meter.add(decoder.decode(frames).packets, 0, int(frames.time[-1])))
    return np.concatenate([*rows, meter.finish()]), meter.duplicates


def told(rows: NDArray[np.void]) -> list[tuple[int, ...]]:
    """All but the instants, of connections that began after the first second: only then a mirror is known."""
    later = rows[rows["first_seen"] >= START + S]
    return sorted(tuple(int(row[name]) for name in SAME) for row in later)


@pytest.mark.parametrize("size", [1_000_000, 7], ids=["at once", "by seven"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_seen_several_times_is_recorded_as_if_seen_once(way: str, size: int) -> None:
    once, none = recorded(forged()["once"], 1_000_000)
    assert none == 0, "what is really sent twice is no duplicate"
    rows, count = recorded(forged()[way], size)
    expected = told(once)
    if way in ALIKE:
        # Nobody can tell a repeated acknowledgement from its copy where everything is doubled.
        expected = sorted(without_repeated(row) for row in expected)
    assert told(rows) == expected
    assert {int(mac) for mac in rows["client_mac"]} == {CLIENT}
    assert not rows["behind_router"].any()
    assert count + int((rows["packets_out"] + rows["packets_in"]).sum()) == len(forged()[way])
    if way == "a router between two VLANs":
        assert set(rows["vlan"].tolist()) == {10}
    if way == "untagged and trunk":
        assert set(rows["vlan"].tolist()) == {-1}


def without_repeated(row: tuple[int, ...]) -> tuple[int, ...]:
    """TCP of the forge has one acknowledgement that is really sent twice: 40 octets of IPv4, 60 of IPv6."""
    values = dict(zip(SAME, row, strict=True))
    if values["protocol"] == 6:
        values["packets_in"] -= 1
        values["bytes_in"] -= 60 if values["client_ip_hi"] else 40
    return tuple(values[name] for name in SAME)


def test_a_rare_connection_seen_on_both_sides_of_a_router_is_one_in_a_large_batch() -> None:
    """40,000 packets seen once; of one connection among them 40 are seen twice, and no sample meets them."""
    multipliers = np.random.default_rng(7).integers(0, 2**63, MULTIPLIERS, np.uint64)
    made = Meter(Networks.of(["10.0.0.0/8"]), Limits(IDLE, IDLE, 10_000), multipliers)
    client, peer = Side("10.0.0.7", 6000, CLIENT), Side("198.51.100.8", 53, ROUTER)
    asleep = many(70_000, 0, START)
    written = [made.add([asleep], 0, int(asleep.time[-1]))]  # by then few packets of a batch are looked at
    few = [Packet(START + 3 * S + number * 2_000_000, client, peer, 17) for number in range(40)]
    seen = [
        replace(packet, time=packet.time + delay, hops=64 - hops, source=client._replace(mac=CLIENT + hops))
        for packet in few
        for delay, hops in ((0, 0), (15_000, 1))
    ]
    crowd = many(40_000, 70_000, START + 2 * S)
    written.append(made.add([crowd, columns(seen, 4)], 0, START + 4 * S))
    rows = np.concatenate([*written, made.finish()])
    assert made.duplicates == 40
    mine = rows[rows["client_port"] == 6000]
    assert [(int(row["client_mac"]), int(row["packets_out"])) for row in mine] == [(CLIENT, 40)]
    assert rows["packets_out"].sum() == 110_040
