"""sFlow: captured datagrams as tshark reads them, forged ones as the specification has them, damaged ones."""

import struct
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.feeds.sflow.decoder import SflowDecoder
from appliance.feeds.told import Messages, Told
from appliance.model.addresses import ip_text, mac_text
from appliance.model.instants import NS
from appliance.model.texts import Texts

CAPTURES = sorted((Path(__file__).parents[1] / "cases" / "sflow").glob("*.pcap"))
FIELDS = (
    *("udp.payload", "sflow.flow_sample.sampling_rate", "sflow_245.ipv4_src", "sflow_245.ipv4_dst"),
    *("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "eth.src", "eth.dst"),
    *("tcp.srcport", "tcp.dstport", "ip.len", "ip.proto", "ipv6.plen", "ipv6.nxt"),
)
RECEIVED = 1_790_000_000 * NS


@cache
def read(capture: Path) -> dict[str, list[str]]:
    """What tshark reads in a capture: all values of each field, in order."""
    asked = [word for name in FIELDS for word in ("-e", name)]
    line = subprocess.run(
        ["tshark", "-r", capture, "-d", "udp.port==6343,sflow", "-T", "fields", *asked],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()[0]
    return {
        name: cell.split(",") if cell else [] for name, cell in zip(FIELDS, line.split("\t"), strict=True)
    }


def payload(capture: Path) -> bytes:
    """The only datagram of a capture."""
    return bytes.fromhex(read(capture)["udp.payload"][0])


def fields(capture: Path, *names: str) -> list[list[str]]:
    """Some of the fields."""
    return [read(capture)[name] for name in names]


def decoded(*datagrams: bytes, decoder: SflowDecoder | None = None) -> Told:
    received = np.full(len(datagrams), RECEIVED, np.int64)
    return (decoder or SflowDecoder(Texts())).decode(Messages(received, datagrams))


def of(told: Told, side: str) -> list[str]:
    return [ip_text(int(row[side + "_ip_hi"]), int(row[side + "_ip_lo"])) for row in told.flows]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_captured_samples_are_as_tshark_reads_them(capture: Path) -> None:
    told = decoded(payload(capture))
    names = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "eth.src", "eth.dst")
    rate, v4_src, v4_dst, v6_src, v6_dst, mac_src, mac_dst = fields(
        capture, "sflow.flow_sample.sampling_rate", *names
    )
    sources, destinations = v4_src[1:] + v6_src, v4_dst[1:] + v6_dst
    macs = sorted(zip(mac_src[1:], mac_dst[1:], strict=True))
    if not sources:  # sampled_ipv4, without a header
        sources, destinations = (fields(capture, f"sflow_245.ipv4_{end}")[0] for end in ("src", "dst"))
    if "vxlan" in capture.name:  # the inner packet stands for the one that carried it
        sources, destinations, macs = v6_src[-1:], v6_dst[-1:], macs[-1:]
    assert sorted(of(told, "src")) == sorted(sources)
    assert sorted(of(told, "dst")) == sorted(destinations)
    if macs:
        ours = ((mac_text(int(row["src_mac"])), mac_text(int(row["dst_mac"]))) for row in told.flows)
        assert sorted(ours) == macs
    assert sorted(told.flows["sampling"].tolist()) == sorted(max(int(each), 2) for each in rate)
    assert set(told.refused) <= {"nothing_to_keep"}


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_ports_lengths_and_protocols_are_as_tshark_reads_them(capture: Path) -> None:
    told = decoded(payload(capture))
    names = ("tcp.srcport", "tcp.dstport", "ip.len", "ip.proto", "ipv6.plen", "ipv6.nxt")
    source, destination, v4_size, v4_protocol, v6_size, v6_protocol = fields(capture, *names)
    tcp = told.flows[told.flows["protocol"] == 6]
    assert sorted(tcp["src_port"].tolist()) == sorted(map(int, source))
    assert sorted(tcp["dst_port"].tolist()) == sorted(map(int, destination))
    sizes = [*map(int, v4_size[1:]), *(int(size) + 40 for size in v6_size)]
    protocols = [*map(int, v4_protocol[1:]), *map(int, v6_protocol)]
    if "vxlan" in capture.name:
        sizes, protocols = sizes[-1:], protocols[-1:]
    if sizes:
        assert sorted(told.flows["octets"].tolist()) == sorted(sizes)
        assert sorted(told.flows["protocol"].tolist()) == sorted(protocols)
    assert set(told.flows["first"].tolist()) == {RECEIVED}


# -- as the specification has them


def record(form: int, body: bytes) -> bytes:
    return struct.pack("!II", form, len(body)) + body


def sample(*records: bytes, rate: int = 100, drops: int = 0, source: int = 7) -> bytes:
    body = struct.pack("!8I", 1, source, rate, 1000, drops, 1, 2, len(records)) + b"".join(records)
    return record(1, body)


def datagram(*samples: bytes, number: int = 1, agent: bytes = b"\x0a\0\0\1", uptime: int = 1000) -> bytes:
    head = struct.pack("!II4sIIII", 5, 1, agent, 0, number, uptime, len(samples))
    return head + b"".join(samples)


IPV4 = record(
    3, struct.pack("!II4s4sIIII", 60, 17, bytes([192, 168, 1, 5]), bytes([9, 9, 9, 9]), 4000, 53, 0, 0)
)
IPV6 = record(4, struct.pack("!II16s16sIIII", 80, 6, b"\xfd" + bytes(15), b"\x20" + bytes(15), 1, 2, 0, 0))
BSSID = bytes.fromhex("788a20aabbcc")


def test_addresses_that_the_device_read_itself() -> None:
    told = decoded(datagram(sample(IPV4), sample(IPV6)))
    assert of(told, "src") == ["192.168.1.5", "fd00::"]
    assert told.flows["octets"].tolist() == [60, 80]
    assert told.flows["src_port"].tolist() == [4000, 1]


def test_translation_vlan_and_access_point() -> None:
    nat = record(1007, struct.pack("!I4sI4s", 1, bytes([5, 5, 5, 5]), 1, bytes([9, 9, 9, 9])))
    ports = record(1020, struct.pack("!II", 61000, 53))
    switch = record(1001, struct.pack("!4I", 30, 0, 40, 0))
    radio = record(1014, struct.pack("!I5s3x6s2xIIQIII", 5, b"guest", BSSID, 4, 6, 54, 0, 0, 0))
    (row,) = decoded(datagram(sample(nat, ports, switch, radio, IPV4))).flows
    assert ip_text(int(row["nat_src_ip_hi"]), int(row["nat_src_ip_lo"])) == "5.5.5.5"
    assert (row["nat_src_port"], row["vlan"], row["ap_mac"]) == (61000, 30, int.from_bytes(BSSID))
    assert row["ssid"] == 0


def test_a_rate_of_one_is_no_evidence_either() -> None:
    assert decoded(datagram(sample(IPV4, rate=1), sample(IPV4, rate=0))).flows["sampling"].tolist() == [2, 2]


def test_urls_are_passed_over_and_noted() -> None:
    url = record(1005, struct.pack("!II8sI8s", 1, 8, b"/visited", 8, b"host.tld"))
    told = decoded(datagram(sample(url, IPV4)))
    assert told.noted == {"content_stripped": 1}
    assert len(told.flows) == 1


def test_counters_tell_nothing_to_keep() -> None:
    assert decoded(datagram(record(2, bytes(100)), record(4, bytes(100)))).refused == {"nothing_to_keep": 2}


def test_lost_datagrams_and_dropped_samples_are_counted() -> None:
    decoder = SflowDecoder(Texts())
    told = decoded(
        datagram(sample(IPV4, drops=5), number=1),
        datagram(sample(IPV4, drops=5), number=2),
        datagram(sample(IPV4, drops=9), sample(IPV4, drops=1, source=8), number=6),
        datagram(sample(IPV4, drops=2), number=1, agent=b"\x0a\0\0\2"),
        decoder=decoder,
    )
    assert told.lost == {"sampler": 4}
    assert decoder.expire(RECEIVED + 10 * NS).lost == {"sequence": 3}
    # A device that was restarted counts from nothing again.
    assert decoded(datagram(sample(IPV4, drops=1), number=7), decoder=decoder).lost == {}


def test_what_cannot_be_read_is_counted() -> None:
    assert decoded(struct.pack("!I", 4) + bytes(40)).refused == {"bad_version": 1}
    assert decoded(b"").refused == {"bad_message": 1}
    assert decoded(datagram(sample(record(1, struct.pack("!IIII", 9, 60, 0, 0))))).refused == {"link_type": 1}
    assert decoded(datagram(sample(record(1001, bytes(16))))).refused == {"no_addresses": 1}
    undated = SflowDecoder(Texts()).decode(Messages(np.zeros(1, np.int64), [datagram(sample(IPV4))]))
    assert (undated.refused, len(undated.flows)) == ({"undated": 1}, 0)


def test_many_agents_of_one_sender_are_bounded() -> None:
    agents = (datagram(sample(IPV4), agent=struct.pack("!I", number)) for number in range(1000))
    told = decoded(*agents)
    assert told.refused["too_many"] + len(told.flows) == 1000
    assert len(told.flows) == 64


@pytest.mark.parametrize("capture", CAPTURES[:3], ids=lambda path: path.stem)
def test_cut_at_every_byte(capture: Path) -> None:
    whole = payload(capture)
    decoder = SflowDecoder(Texts())
    told = decoded(*(whole[:size] for size in range(len(whole))), decoder=decoder)
    assert len(told.flows) + sum(told.refused.values()) >= len(whole)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CAPTURES), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8))
def test_damaged_datagrams_raise_nothing(capture: Path, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(payload(capture))
    for at, value in changes:
        damaged[at % len(damaged)] = value
    told = decoded(bytes(damaged), datagram(sample(IPV4)))
    assert len(told.flows) <= 40
