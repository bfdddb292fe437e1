"""The captures of the benchmark are what they claim to be, in the eyes of tshark."""

import ipaddress
import subprocess
from functools import partial
from pathlib import Path

import pytest

from bench import frames, generate

COUNT = 3_000
FIELDS = (
    "frame.len",
    "frame.cap_len",
    "frame.time_epoch",
    "ip.checksum.status",
    "ip.src",
    "ip.dst",
    "ipv6.src",
)
PORTS = ("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "ipv6.dst", "arp.src.proto_ipv4")


@pytest.fixture(scope="module")
def hotspot() -> tuple[frames.Conversations, frames.Packets]:
    conversations, packets = generate._hotspot(count=2_000, wanted=60_000)
    return conversations, packets.slice(0, COUNT)


def tshark(path: Path) -> list[dict[str, str]]:
    """What tshark reads, one row a packet, empty where a field is absent."""
    wanted = [word for field in FIELDS + PORTS for word in ("-e", field)]
    command = ["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-T", "fields", *wanted]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [dict(zip(FIELDS + PORTS, line.split("\t"), strict=True)) for line in lines]


def test_tshark_reads_the_conversations_that_were_drawn(
    tmp_path: Path, hotspot: tuple[frames.Conversations, frames.Packets]
) -> None:
    conversations, packets = hotspot
    path = tmp_path / "hotspot.pcap"
    frames.write(path, conversations, packets)
    rows = tshark(path)
    assert len(rows) == COUNT
    assert all(row["ip.checksum.status"] == "1" for row in rows if row["ip.src"])
    moments = [float(row["frame.time_epoch"]) for row in rows]
    assert moments == sorted(moments)

    def address(octets: bytes, v6: bool) -> str:
        return str(ipaddress.ip_address(octets if v6 else octets[12:]))

    for row, number, outward in zip(rows, packets.conversation, packets.outward, strict=True):
        if number < 0:
            assert ipaddress.ip_address(row["arp.src.proto_ipv4"]) in ipaddress.ip_network("10.20.0.0/16")
            continue
        v6 = bool(conversations.is_v6[number])
        ends = [
            (address(conversations.client_ip[number].tobytes(), v6), str(conversations.client_port[number])),
            (address(conversations.peer_ip[number].tobytes(), v6), str(conversations.peer_port[number])),
        ]
        source, target = ends if outward else reversed(ends)
        assert (row["ip.src"] or row["ipv6.src"], row["tcp.srcport"] or row["udp.srcport"]) == source
        assert (row["ip.dst"] or row["ipv6.dst"], row["tcp.dstport"] or row["udp.dstport"]) == target


def test_a_cut_capture_keeps_the_length_each_frame_had(
    tmp_path: Path, hotspot: tuple[frames.Conversations, frames.Packets]
) -> None:
    whole, cut = tmp_path / "whole.pcap", tmp_path / "cut.pcap"
    frames.write(whole, *hotspot)
    frames.write(cut, *hotspot, snaplen=96)
    lengths = [int(row["frame.len"]) for row in tshark(whole)]
    rows = tshark(cut)
    assert [int(row["frame.len"]) for row in rows] == lengths
    assert [int(row["frame.cap_len"]) for row in rows] == [min(length, 96) for length in lengths]
    assert max(lengths) > 96


def test_a_capture_is_the_same_every_time_and_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(generate, "_hotspot", partial(generate._hotspot, count=2_000, wanted=60_000))
    first = generate.draw("tiny")
    content, written = first.read_bytes(), first.stat().st_mtime_ns
    assert generate.draw("tiny").stat().st_mtime_ns == written
    first.unlink()
    assert generate.draw("tiny").read_bytes() == content
