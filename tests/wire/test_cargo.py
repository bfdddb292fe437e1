"""Payloads of UDP and TCP out of captures, as tshark reads them."""

import subprocess
from pathlib import Path

import pytest

from appliance.capture.files import CaptureFile
from appliance.model.addresses import ip_text
from appliance.wire.cargo import TCP, UDP, cargoes
from appliance.wire.decode import Decoder
from tests.wire.carried import datagram, segment, write_capture

CASES = Path(__file__).parents[1] / "cases"
EVERY_PORT = range(1, 65_536)
Carried = tuple[str, int, str, int, bytes]


def as_read(path: Path, protocol: int) -> list[Carried]:
    decoder, found = Decoder(), []
    with CaptureFile(path) as capture:
        for frames in capture:
            found += cargoes(decoder.decode(frames).packets, protocol, EVERY_PORT)
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
               "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.defragment:FALSE",
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
        ("telnet-both-local/telnet.pcap", TCP, "tcp", 20),
    ],
)
def test_payloads_are_those_that_tshark_shows(case: str, protocol: int, name: str, at_least: int) -> None:
    theirs = as_tshark(CASES / case, name)
    assert len(theirs) >= at_least
    assert as_read(CASES / case, protocol) == theirs


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
