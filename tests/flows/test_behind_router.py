"""Clients whose packets had been forwarded before they were seen, judged by tshark; and those that roam."""

import ipaddress
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.capture.files import CaptureFile
from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.model.networks import Networks
from appliance.wire.decode import Decoder
from tests.flows.model import IDLE, Packet, S, Side, columns, ip

CAPTURES = Path(__file__).parents[3] / "shared" / "data" / "ndpi"
START = 1_700_000_000 * S
OWN = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
FIELDS = (
    "ip.src",
    "tcp.srcport",
    "udp.srcport",
    "ip.dst",
    "tcp.dstport",
    "udp.dstport",
    "ip.proto",
    "ip.ttl",
)
Key = tuple[str, int, str, int, int]


def meter() -> Meter:
    multipliers = np.random.default_rng(7).integers(0, 2**63, MULTIPLIERS, np.uint64)
    return Meter(Networks.of([*OWN, "2001:db8::/32"]), Limits(IDLE, IDLE, 10_000), multipliers)


def is_own(address: str) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in OWN)


def by_tshark(capture: Path) -> dict[Key, bool]:
    """Of each connection of TCP or UDP: whether the first packet its client sent came over a router."""
    arguments = ["tshark", "-n", "-r", str(capture), "-Y", "(tcp || udp) && ip", "-T", "fields"]
    arguments += [word for field in FIELDS for word in ("-e", field)]
    arguments += ["-E", "occurrence=f"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    found: dict[Key, bool | None] = {}
    for line in done.stdout.splitlines():
        source, tcp_out, udp_out, target, tcp_in, udp_in, protocol, ttl = line.split("\t")
        ends = [(source, int(tcp_out or udp_out)), (target, int(tcp_in or udp_in))]
        if is_own(source) == is_own(target):
            continue
        (client, peer) = ends if is_own(source) else ends[::-1]
        forwarded = any(top - 8 <= int(ttl) < top for top in (64, 128, 255))
        key = (*client, *peer, int(protocol))
        found.setdefault(key, None)
        if is_own(source) and found[key] is None:
            found[key] = forwarded
    return {key: bool(forwarded) for key, forwarded in found.items()}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: it is the judge here")
@pytest.mark.parametrize(
    ("name", "routed"),
    [("activision", True), ("discord", True), ("KakaoTalk_chat", True), ("avast", True), ("wow", False)],
)
def test_who_stands_behind_a_router_is_said_as_tshark_sees_it(name: str, routed: bool) -> None:
    capture = CAPTURES / f"{name}.pcap"
    if not capture.exists():
        pytest.skip("the captures of nDPI are not here")
    made, decoder = meter(), Decoder()
    with CaptureFile(capture) as file:
        rows = [made.add(decoder.decode(frames).packets, 0, int(frames.time[-1])) for frames in file]
    written = np.concatenate([*rows, made.finish()])
    said: dict[Key, bool] = {}
    for row in written[np.isin(written["protocol"], (6, 17))]:
        client = ip(int(row["client_ip_hi"]), int(row["client_ip_lo"]))
        peer = ip(int(row["peer_ip_hi"]), int(row["peer_ip_lo"]))
        key = (client, int(row["client_port"]), peer, int(row["peer_port"]), int(row["protocol"]))
        said[key] = said.get(key, False) | bool(row["behind_router"])
    expected = by_tshark(capture)
    assert {key: said[key] for key in expected} == expected
    assert any(expected.values()) == routed


A, B = Side("10.0.0.1", 40000, 0x021122334455), Side("198.51.100.7", 443, 0x029999999999)


@pytest.mark.parametrize(
    ("hops", "behind"),
    [(64, False), (63, True), (56, True), (55, False), (128, False), (127, True), (255, False), (247, True)],
)
def test_a_hop_limit_just_below_what_systems_send_tells(hops: int, behind: bool) -> None:
    for packet in (
        Packet(START, A, B, hops=hops),
        Packet(START, replace_ip(A, "2001:db8::1"), B6, hops=hops),
    ):
        made = meter()
        made.add([columns([packet], 6 if ":" in packet.source.ip else 4)], 0, START)
        made.add([columns([replace(packet.back, hops=57)], 6 if ":" in packet.source.ip else 4)], 0, START)
        assert made.finish()["behind_router"].tolist() == [behind]


B6 = Side("2001:db9::7", 443, 0x029999999999)


def replace_ip(side: Side, address: str) -> Side:
    return side._replace(ip=address)


def test_where_both_sides_are_the_sites_own_it_is_said_of_the_one_who_began() -> None:
    for begun_by, other in (
        (A, Side("10.9.9.9", 80, 0x020000000009)),
        (Side("10.9.9.9", 80, 0x020000000009), A),
    ):
        first = Packet(START, begun_by, other, hops=63)
        made = meter()
        made.add([columns([first, replace(first.back, time=START + 1, hops=64)], 4)], 0, START + 1)
        (row,) = made.finish()
        assert (int(row["client_mac"]), bool(row["behind_router"])) == (begun_by.mac, True)
        made = meter()
        made.add([columns([replace(first, hops=64)], 4)], 0, START)
        made.add([columns([replace(first.back, time=START + S, hops=63)], 4)], 0, START + S)
        (row,) = made.finish()
        assert (int(row["client_mac"]), bool(row["behind_router"])) == (begun_by.mac, False)


def test_macs_of_a_link_that_carried_a_tunnel_are_a_routers() -> None:
    packets = replace(columns([Packet(START, A, B)], 4), hidden_mac=np.array([True]))
    made = meter()
    made.add([packets], 0, START)
    assert made.finish()["behind_router"].tolist() == [True]


def test_goodbye_is_still_goodbye_behind_a_router() -> None:
    made = meter()
    made.add([columns([Packet(START, A, B, hops=63)], 4)], 0, START)
    assert not len(made.expire(START + 10 * S))
    made.add([columns([Packet(START + 11 * S, A, B, flags=4, hops=63)], 4)], 0, START + 11 * S)
    assert made.expire(START + 20 * S)["end_reason"].tolist() == [3]


def test_each_part_says_the_ap_of_its_first_packet_that_names_one() -> None:
    here, there = 0x02B000000001, 0x02B000000002
    seen = [(0, 0), (1, here), (30, there), (61, there), (70, here), (125, 0), (130, here)]
    for together in (False, True):
        made = meter()
        packets = [Packet(START + second * S, A, B, ap_mac=ap) for second, ap in seen]
        batches = [packets] if together else [[packet] for packet in packets]
        rows = [made.add([columns(batch, 4)], 0, batch[-1].time) for batch in batches]
        written = np.concatenate([*rows, made.finish()])
        written = written[np.argsort(written["first_seen"])]
        assert (written["packets_out"].sum(), len(np.unique(written["client_mac"]))) == (7, 1)
        if not together:
            assert written["ap_mac"].tolist() == [here, there, there]


ROUTED, PUSH = Packet(START, A, B, hops=63), Packet(START, B, A, hops=50)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("seconds", "ways"),
    [((0, 1, 2, 3), "<><>"), ((0, 1, 300, 301, 302), "><<><"), ((0, 70, 140, 141), "><<>"), ((0, 1), "<<")],
)
def test_the_first_packet_that_the_client_sends_tells_whoever_was_first(
    seconds: tuple[int, ...], ways: str, size: int
) -> None:
    """After a silence of more than a minute it is another connection, and is asked anew."""
    packets = [
        replace(ROUTED if way == ">" else PUSH, time=START + second * S, number=second)
        for second, way in zip(seconds, ways, strict=True)
    ]
    made, rows = meter(), []
    for begin in range(0, len(packets), size):
        batch = packets[begin : begin + size]
        rows.append(made.add([columns(batch, 4)], 0, batch[-1].time))
    written = np.concatenate([*rows, made.finish()])
    expected, at = [], 0
    for number in range(1, len(seconds) + 1):
        if number == len(seconds) or seconds[number] - seconds[number - 1] > 60:
            expected.append(">" in ways[at:number])
            at = number
    written = written[np.argsort(written["first_seen"])]
    assert written["behind_router"].tolist() == expected


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("ways", ["><><", "<><>", ">>", "<<"])
@pytest.mark.parametrize("kind", ["cooked", "tunnel of bare IP"])
def test_a_link_that_does_not_name_both_sides_splits_no_connection(kind: str, ways: str, size: int) -> None:
    """Cooked: the sender's MAC alone. Tunnel: always those of its two ends, whichever way the packet went."""
    one, other = Side(A.ip, A.port, A.mac), Side(B.ip, B.port, B.mac)
    packets = [Packet(START + number, one, other, number=number) for number in range(len(ways))]
    packets = [each.back if way == "<" else each for each, way in zip(packets, ways, strict=True)]
    made, rows = meter(), []
    for begin in range(0, len(packets), size):
        batch = columns(packets[begin : begin + size], 4)
        count = len(batch)
        if kind == "cooked":
            batch = replace(batch, destination_mac=np.zeros(count, np.uint64))
        else:
            ends = columns([packets[0] if ways[0] == ">" else packets[0].back] * count, 4)
            batch = replace(batch, source_mac=ends.source_mac, destination_mac=ends.destination_mac)
            batch = replace(batch, hidden_mac=np.ones(count, np.bool_))
        rows.append(made.add([batch], 0, START + 10))
    (row,) = np.concatenate([*rows, made.finish()])
    assert (int(row["packets_out"]), int(row["packets_in"])) == (ways.count(">"), ways.count("<"))
    assert int(row["client_mac"]) == (A.mac if ">" in ways else 0)
    assert bool(row["behind_router"]) == (kind != "cooked" and ">" in ways)


def test_a_connection_told_without_a_mac_goes_on_without_one() -> None:
    """Its rows are joined by it: a journal of an open one, and what is written of it later."""
    made, told = meter(), []
    for number, way in enumerate("<>"):
        packet = Packet(START + number * S, A, B, number=number)
        batch = columns([packet if way == ">" else packet.back], 4)
        made.add([replace(batch, destination_mac=np.zeros(1, np.uint64))], 0, packet.time)
        made.expire(packet.time + S // 2)
        told.append(made.changed())
    written = np.concatenate([*told, made.finish()])
    assert written["packets_in"].tolist() == [1, 1, 1]
    assert set(written["client_mac"].tolist()) == {0}
