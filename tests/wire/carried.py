"""Frames that carry UDP and TCP, written byte by byte (RFC 791, RFC 768, RFC 9293), and captures of them."""

import ipaddress
import struct
from collections.abc import Iterable
from pathlib import Path

_ETHERNET = bytes.fromhex("02000000000102000000000208004500")[:14]


def _ip(source: str, destination: str, protocol: int, content: bytes) -> bytes:
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 1, 0, 64, protocol, 0) + ends
    return _ETHERNET + header + content


def datagram(source: str, destination: str, ports: tuple[int, int], payload: bytes) -> bytes:
    """A UDP datagram in an Ethernet frame."""
    return _ip(source, destination, 17, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload)


def segment(
    source: str, destination: str, ports: tuple[int, int], number: int, payload: bytes, flags: int = 0x18
) -> bytes:
    """A TCP segment in an Ethernet frame; flags PSH and ACK unless given."""
    header = struct.pack("!HHIIBBHHH", *ports, number % (1 << 32), 1, 5 << 4, flags, 65_535, 0, 0)
    return _ip(source, destination, 6, header + payload)


def write_capture(path: Path, frames: Iterable[tuple[int, bytes]], kept_bytes: int = 65_535) -> Path:
    """A pcap with nanoseconds of (instant in ns, frame), cut to what is kept."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 1))
        for at_ns, frame in frames:
            kept = frame[:kept_bytes]
            file.write(struct.pack("<IIII", at_ns // 10**9, at_ns % 10**9, len(kept), len(frame)) + kept)
    return path
