"""Payloads of UDP and TCP out of captures, as tshark reads them."""

import subprocess
from pathlib import Path

import pytest

from appliance.capture.files import CaptureFile
from appliance.model.addresses import ip_text
from appliance.wire.cargo import TCP, UDP, cargoes, reassembled
from appliance.wire.decode import Decoder
from appliance.wire.reassembly import LIMIT, Reassembly
from tests.wire.carried import datagram, segment, write_capture

CASES = Path(__file__).parents[1] / "cases"
EVERY_PORT = range(1, 65_536)
Carried = tuple[str, int, str, int, bytes]


def as_read(path: Path, protocol: int) -> list[Carried]:
    decoder, reassembly, found = Decoder(), Reassembly(), []
    with CaptureFile(path) as capture:
        for frames in capture:
            packets = decoder.decode(frames).packets
            found += cargoes(packets, protocol, EVERY_PORT)
            if protocol == UDP:
                found += reassembled(reassembly.take(packets), EVERY_PORT)
    found.sort(key=lambda cargo: cargo.at)
    assert [cargo.time_ns for cargo in found] == sorted(cargo.time_ns for cargo in found)
    return [
        (ip_text(*one.sender), one.sender_port, ip_text(*one.receiver), one.receiver_port, one.payload)
        for one in found
        if one.payload and one.whole
    ]


def as_tshark(path: Path, protocol: str) -> list[Carried]:
    fields = ("ip.src", "ipv6.src", f"{protocol}.srcport", "ip.dst", "ipv6.dst", f"{protocol}.dstport",
              f"{protocol}.payload")  # fmt: skip
    shown = f"{protocol}.payload && !icmp && !icmpv6"
    command = ["tshark", "-n", "-r", str(path), "-Y", shown, "-T", "fields", "-E", "occurrence=f",
               "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.defragment:TRUE",
               *(word for name in fields for word in ("-e", name))]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True).stdout
    found = []
    for line in said.splitlines():
        source, source6, sport, to, to6, dport, payload = line.split("\t")
        found.append((source or source6, int(sport), to or to6, int(dport), bytes.fromhex(payload)))
    return found


@pytest.mark.parametrize(
    ("case", "protocol", "name", "at_least"),
    [
        ("android/android.pcap", UDP, "udp", 50),
        ("android/android.pcap", TCP, "tcp", 100),
        ("dhcp-both-families/dhcpv4v6-rfc5970-rfc8572.pcap", UDP, "udp", 8),
        ("broadcast/bt_search.pcap", UDP, "udp", 2),
        ("fragments-dns/dns_fragmented.pcap", UDP, "udp", 4),
        ("telnet-both-local/telnet.pcap", TCP, "tcp", 20),
    ],
)
def test_payloads_are_those_that_tshark_shows(case: str, protocol: int, name: str, at_least: int) -> None:
    mine, theirs = as_read(CASES / case, protocol), as_tshark(CASES / case, name)
    if "fragments" in case:  # those of IPv6 are not put together
        mine, theirs = ([one for one in every if ":" not in one[0]] for every in (mine, theirs))
    assert len(theirs) >= at_least
    assert mine == theirs


def test_what_the_capture_left_out_is_told(tmp_path: Path) -> None:
    frames = [
        (1, datagram("10.0.0.1", "10.0.0.2", (5, 514), b"x" * 200)),
        (2, datagram("10.0.0.1", "10.0.0.2", (5, 514), b"y" * 20)),
        (3, datagram("10.0.0.1", "10.0.0.2", (5, 515), b"other port")),
        (4, segment("10.0.0.1", "10.0.0.2", (5, 514), 7, b"z" * 200)),
    ]
    path = write_capture(tmp_path / "cut.pcap", frames, kept_bytes=100)
    with CaptureFile(path) as capture:
        (batch,) = [Decoder().decode(frames).packets for frames in capture]
    found = [(one.whole, one.payload[:1]) for one in cargoes(batch, UDP, [514])]
    assert found == [(False, b"x"), (True, b"y")]
    (cut,) = cargoes(batch, TCP, [514])
    assert (cut.whole, cut.number, cut.payload) == (False, 7, b"z" * 46)


def fragments(name: int, payload: bytes, size: int) -> list[bytes]:
    """A datagram to port 514 as IPv4 fragments of so many bytes, a multiple of 8 (RFC 791)."""
    frame = datagram("10.0.0.1", "10.0.0.2", (5, 514), payload)
    link, header, content = frame[:14], bytearray(frame[14:34]), frame[34:]
    found = []
    for at in range(0, len(content), size):
        piece = content[at : at + size]
        more = at + size < len(content)
        header[2:4] = (20 + len(piece)).to_bytes(2, "big")
        header[4:6] = name.to_bytes(2, "big")
        header[6:8] = (more << 13 | at // 8).to_bytes(2, "big")
        found.append(link + bytes(header) + piece)
    return found


def test_fragments_in_any_order_are_one_datagram(tmp_path: Path) -> None:
    payload = bytes(range(256)) * 20
    pieces = fragments(7, payload, 1480)
    lost = fragments(8, payload, 1480)[1:]
    frames = [*reversed(pieces), pieces[0], *lost, *pieces[1:]]
    path = write_capture(tmp_path / "fragments.pcap", list(enumerate(frames)))
    decoder, reassembly, found = Decoder(), Reassembly(), []
    with CaptureFile(path) as capture:
        for batch in capture:
            packets = decoder.decode(batch).packets
            assert cargoes(packets, UDP, [514]) == []
            found += reassembled(reassembly.take(packets), {514})
    assert [(one.payload, one.sender_port, one.whole) for one in found] == [(payload, 5, True)] * 2
    assert reassembly.finish() == 1


def test_fragments_without_end_take_bounded_memory(tmp_path: Path) -> None:
    frames = [fragments(name, bytes(3000), 1480)[0] for name in range(LIMIT + 50)]
    path = write_capture(tmp_path / "flood.pcap", list(enumerate(frames)))
    reassembly = Reassembly()
    with CaptureFile(path) as capture:
        for batch in capture:
            assert reassembly.take(Decoder().decode(batch).packets) == []
    assert (reassembly.unfinished, reassembly.finish()) == (50, LIMIT + 50)
