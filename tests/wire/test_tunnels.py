"""Tunnels and odd links: scapy wraps packets and says what is inside; tshark says it too."""

import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.model.addresses import ip_text
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.networks import Networks
from appliance.model.reasons import Note
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN, Packets
from appliance.wire.tunnels import Tunnels
from tests.forge import reading

FORGE = "tunnel_frames.py"
BEHIND = b"\xa5" * 7
"""Lies between frames, and must never show."""

Told = list[object]


def forged() -> list[SimpleNamespace]:
    return reading.cases(FORGE)


def of(*groups: str) -> list[SimpleNamespace]:
    return [case for case in forged() if case.group in groups]


def as_frames(contents: list[bytes], lengths: list[int] | None = None, link_type: int = ETHERNET) -> Frames:
    data = b"".join(content + BEHIND for content in contents) + b"\xa5" * PADDING_BYTES
    sizes = np.array([len(content) for content in contents], np.int64)
    return Frames(
        np.frombuffer(data, np.uint8).copy(),
        np.cumsum(sizes + len(BEHIND)) - sizes - len(BEHIND),
        sizes,
        sizes if lengths is None else np.array(lengths, np.int64),
        np.arange(len(contents)),
        link_type,
    )


def told(decoded: Decoded) -> dict[int, Told]:
    """What is said of each frame that is a packet, by its number."""
    found: dict[int, Told] = {}
    for packets in decoded.packets:
        assert (packets.time == packets.at).all(), "a packet has the instant of its frame"
        ends = packets.ends(np.arange(len(packets)))
        assert (ends <= packets.frames.offsets[packets.at] + packets.frames.captured[packets.at]).all()
        for row, number in enumerate(packets.at.tolist()):
            assert number not in found, "a frame is one packet"
            found[number] = row_of(packets, row)
    return found


def row_of(packets: Packets, row: int) -> Told:
    half = 4 if packets.family == 4 else 16
    wire = b"".join(column[row].tobytes() for column in packets.addresses)
    network = int(packets.network[row])
    at = network + (12 if packets.family == 4 else 8)
    assert packets.frames.data[at : at + 2 * half].tobytes() == wire, "addresses are where the packet is"
    numbers = [int.from_bytes(part) for part in (wire[:half], wire[half:])]
    if packets.family == 4:
        numbers = [0xFFFF_0000_0000 | number for number in numbers]
    ports = packets.ports[row].tobytes()
    known = not packets.shape[row] & PORTS_UNKNOWN
    macs = [column[row].tobytes()[:6].hex(":") for column in (packets.source_mac, packets.destination_mac)]
    return [
        *(ip_text(number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF) for number in numbers),
        int(packets.shape[row]) & 0xFF,
        int(packets.octets[row]),
        [int.from_bytes(ports[:2]), int.from_bytes(ports[2:])] if known else [-1, -1],
        macs,
        -1 if packets.vlan is None else int(packets.vlan[row]),
        packets.hidden_mac is not None and bool(packets.hidden_mac[row]),
    ]


ANYWHERE = Tunnels()


def decoded_of(case: SimpleNamespace, tunnels: Tunnels = ANYWHERE) -> Decoded:
    return Decoder(tunnels).decode(as_frames([case.frame], link_type=case.link_type))


@pytest.mark.parametrize("group", ["tunnels", "links", "look_alikes", "unknown", "claims"])
def test_every_wrapped_packet_is_what_its_maker_says(group: str) -> None:
    cases = of(group)
    assert len(cases) > 1
    for case in cases:
        decoded = decoded_of(case)
        assert (case.name, told(decoded)) == (case.name, {0: case.packet})
        assert (case.name, dict(decoded.refused)) == (case.name, {})
        assert (case.name, decoded.noted.get(Note.UNKNOWN_INNER, 0)) == (case.name, case.noted)
        tunnelled = int(case.packet[:2] not in case.outers and group in ("tunnels", "claims"))
        if case.name != "nine tunnels":
            assert (case.name, decoded.noted.get(Note.TUNNELLED, 0)) == (case.name, tunnelled)


def test_what_carries_no_ip_gives_no_record_and_is_counted_once() -> None:
    for case in of("silent"):
        decoded = decoded_of(case)
        assert (case.name, told(decoded)) == (case.name, {})
        refused = {reason.value: count for reason, count in decoded.refused.items()}
        assert (case.name, refused) == (case.name, {case.refused: 1} if case.refused else {})
        assert len(decoded.claims) == (0 if case.refused else 1), case.name
        assert not decoded.noted, case.name


def test_a_mirrors_tunnel_tells_bindings() -> None:
    for case in of("claims"):
        if case.name in ("ND in VXLAN", "DHCP in VXLAN"):
            assert len(decoded_of(case).claims) == 1, case.name


def test_nobody_in_a_tunnel_without_macs_is_a_neighbour() -> None:
    (case,) = [case for case in of("claims") if case.name == "ND in 6in4"]
    assert not len(decoded_of(case).claims)


def test_the_later_pieces_of_a_tunnels_datagram_say_nothing() -> None:
    cases = of("split")
    assert len(cases) > 60
    decoded = Decoder().decode(as_frames([case.frame for case in cases]))
    expected = {number: case.packet for number, case in enumerate(cases) if case.packet}
    assert told(decoded) == expected
    assert dict(decoded.refused) == {"tunnel_fragment": len(cases) - len(expected)}
    decoder = Decoder()
    alone = [decoder.decode(as_frames([case.frame])) for case in cases]
    assert [what for each in alone for what in told(each).values()] == list(expected.values())


def test_every_beginning_of_every_frame() -> None:
    """Cut at every byte: what is inside, or what is around it and counted, or refused; nothing invented."""
    for case in [*of("tunnels")[:160], *of("links", "unknown", "claims", "silent")]:
        beginnings = [case.frame[:size] for size in range(len(case.frame))]
        lengths = [len(case.frame)] * len(beginnings)
        decoded = Decoder().decode(as_frames(beginnings, lengths, case.link_type))
        packets = told(decoded)
        assert len(packets) + sum(decoded.refused.values()) + len(decoded.claims) == len(beginnings), (
            case.name
        )
        outer = 0
        for number, packet in packets.items():
            if case.packet and packet[:2] == case.packet[:2] and packet[3] == case.packet[3]:
                unread = 60 if case.name == "options in VXLAN" else None
                assert packet[2] in (case.packet[2], unread), (case.name, number)
                assert packet[4] in (case.packet[4], [-1, -1]), (case.name, number)
                assert packet[5:] == case.packet[5:], (case.name, number)
            else:
                assert packet[:2] in case.outers, (case.name, number)
                outer += 1
        # The one cut that nobody can count: before the ports of UDP it could be anything.
        assert outer - 8 * max(len(case.outers), 1) <= decoded.noted.get(Note.UNKNOWN_INNER, 0), case.name
        assert not case.packet or len(beginnings) - 1 in packets


def test_what_lies_behind_the_captured_bytes_changes_nothing() -> None:
    for case in of("tunnels")[:160]:
        sizes = range(0, len(case.frame), 3)
        said = []
        for filling in (b"\xa5", b"\x00", b"\x45"):
            contents = [case.frame[:size] for size in sizes]
            frames = as_frames(contents, [len(case.frame)] * len(contents), case.link_type)
            gap = np.frombuffer(filling * len(frames.data), np.uint8).copy()
            for at, size in zip(frames.offsets.tolist(), frames.captured.tolist(), strict=True):
                gap[at : at + size] = frames.data[at : at + size]
            decoded = Decoder().decode(
                Frames(
                    gap,
                    *(
                        getattr(frames, name)
                        for name in ("offsets", "captured", "length", "time", "link_type")
                    ),
                )
            )
            said.append((told(decoded), dict(decoded.refused), dict(decoded.noted)))
        assert said[0] == said[1] == said[2], case.name


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_mixture_in_any_order_is_each_of_them(data: st.DataObject) -> None:
    known = [
        case for case in of("tunnels", "links", "look_alikes", "unknown", "silent") if case.link_type == 1
    ]
    cases = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=60))
    decoded = Decoder().decode(as_frames([case.frame for case in cases]))
    assert told(decoded) == {number: case.packet for number, case in enumerate(cases) if case.packet}
    refused = Counter(case.refused for case in cases if case.refused)
    assert {reason.value: count for reason, count in decoded.refused.items()} == refused
    assert len(decoded.claims) == sum(not case.packet and not case.refused for case in cases)
    assert decoded.noted.get(Note.UNKNOWN_INNER, 0) == sum(case.noted for case in cases)


def test_only_the_declared_ends_are_believed() -> None:
    near = Tunnels(ends=Networks.of(["10.0.0.0/16", "2001:db8:1::/48"]))
    far = Tunnels(ends=Networks.of(["10.0.0.1/32", "2001:db8:1::1/128", "203.0.113.0/24"]))
    for case in of("tunnels"):
        if len(case.outers) == 1:
            assert told(decoded_of(case, near)) == {0: case.packet}, case.name
            (packet,) = told(decoded_of(case, far)).values()
            assert packet[:2] == case.outers[0], case.name
            assert not decoded_of(case, far).noted


def test_a_tunnel_that_leads_a_client_out_of_the_site_never_vanishes() -> None:
    """What is inside is recorded if it is IP, as ever; else the packet that carries it."""
    for networks in (["10.0.0.1/32", "2001:db8:1::1/128"], ["10.0.0.2/32", "2001:db8:1::2/128"]):
        leading = Tunnels(clients=Networks.of(networks))
        silent = [case for case in of("silent") if case.outers]
        assert len(silent) > 20
        for case in silent:
            decoded = decoded_of(case, leading)
            (packet,) = told(decoded).values()
            deeper = {Note.TUNNELLED: 1} if len(case.outers) > 1 else {}
            assert (case.name, packet[:2]) == (case.name, case.outers[-1])
            assert (case.name, dict(decoded.refused), dict(decoded.noted)) == (
                *(case.name, {}, {Note.UNKNOWN_INNER: 1} | deeper),
            )
            assert not len(decoded.claims), case.name
        for case in of("tunnels", "unknown", "claims"):
            assert (case.name, told(decoded_of(case, leading))) == (case.name, {0: case.packet})
            assert not len(decoded_of(case, leading).claims), case.name
        assert [told(decoded_of(case, leading)) for case in of("split")] == [
            told(decoded_of(case)) for case in of("split")
        ]


def test_a_mirrors_tunnel_of_what_is_no_ip_is_refused() -> None:
    """Both ends are the site's, or none is, or they are named."""
    both = ["10.0.0.0/24", "2001:db8:1::/64"]
    for tunnels in (
        Tunnels(clients=Networks.of(both)),
        Tunnels(clients=Networks.of(["203.0.113.0/24"])),
        Tunnels(ends=Networks.of([*both, "198.51.100.0/24"]), clients=Networks.of(["10.0.0.1/32"])),
    ):
        for case in of("silent"):
            decoded = decoded_of(case, tunnels)
            assert (case.name, told(decoded), sum(decoded.refused.values())) == (
                *(case.name, {}, bool(case.refused)),
            )


def test_a_mixture_of_tunnels_that_lead_out_and_others() -> None:
    cases = [case for case in of("silent", "tunnels", "unknown") if case.link_type == 1]
    tunnels = Tunnels(clients=Networks.of(["10.0.0.1/32", "2001:db8:1::1/128"]))
    expected = {number: told(decoded_of(case, tunnels)).get(0) for number, case in enumerate(cases)}
    decoded = Decoder(tunnels).decode(as_frames([case.frame for case in cases]))
    assert told(decoded) == {number: packet for number, packet in expected.items() if packet}


def test_vxlan_is_looked_for_on_the_ports_that_are_set() -> None:
    (case,) = [case for case in of("tunnels") if case.name == "VXLAN > IPv4 over [4]"]
    moved = SimpleNamespace(
        **vars(case) | {"frame": case.frame.replace(struct.pack(">H", 4789), b"\x30\x39", 1)}
    )
    assert told(decoded_of(moved, Tunnels(vxlan_ports=(4789, 12345)))) == {0: case.packet}
    for port in (5247, 2152, 12222):  # which without this setting are other tunnels'
        there = SimpleNamespace(
            **vars(case) | {"frame": case.frame.replace(struct.pack(">H", 4789), struct.pack(">H", port), 1)}
        )
        assert told(decoded_of(there, Tunnels(vxlan_ports=(port,)))) == {0: case.packet}
    for frame, tunnels in ((moved, Tunnels()), (case, Tunnels(vxlan_ports=(12345,)))):
        assert told(decoded_of(frame, tunnels))[0][:2] == case.outers[0]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark judges this test")
def test_tshark_finds_the_same_inside(tmp_path: Path) -> None:
    """Its innermost addresses and ports, of whatever it dissects as deep as we do."""
    cases = [case for case in of("tunnels", "links", "split") if case.packet and case.link_type == 1]
    path = tmp_path / "forged.pcap"
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for case in cases:
            file.write(struct.pack("<IIII", 0, 0, len(case.frame), len(case.frame)) + case.frame)
    fields = ["frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"]
    options = ["-o", "ip.defragment:FALSE"]
    words = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=l", *options]
    out = subprocess.run(
        [*words, *(word for field in fields for word in ("-e", field))],
        capture_output=True,
        text=True,
        check=True,
    )
    agreed = 0
    for case, line in zip(cases, out.stdout.splitlines(), strict=True):
        protocols, *addresses = line.split("\t")
        innermost = [layer for layer in protocols.split(":") if layer in ("ip", "ipv6")]
        if len(innermost) != len(case.outers) + 1:
            continue  # tshark leaves the tunnel where it begins
        wanted = addresses[:2] if innermost[-1] == "ip" else addresses[2:]
        assert (case.name, case.packet[:2]) == (case.name, wanted)
        agreed += 1
    assert agreed > len(cases) * 0.7
