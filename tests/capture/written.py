"""Capture files written here byte by byte, and what tshark reads in any of them."""

import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.capture.files import CaptureFile

ETHERNET = 1


@dataclass(frozen=True)
class Frame:
    """One frame: instant in ns, octets on the wire, octets kept, and the first of those."""

    time: int
    length: int
    captured: int
    start: bytes


def as_read(path: Path) -> list[Frame]:
    """What the product reads."""
    frames = []
    with CaptureFile(path) as capture:
        for batch in capture:
            for at in range(len(batch)):
                offset, captured = int(batch.offsets[at]), int(batch.captured[at])
                start = batch.data[offset : offset + min(captured, 12)].tobytes()
                frames.append(Frame(int(batch.time[at]), int(batch.length[at]), captured, start))
        assert not capture.damaged
    return frames


def as_tshark(path: Path) -> list[Frame]:
    """What tshark reads; frames of other link types than Ethernet and those without MACs have no start."""
    fields = ("frame.time_epoch", "frame.len", "frame.cap_len", "eth.dst", "eth.src")
    arguments = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        arguments += ["-e", field]
    said = subprocess.run(arguments, capture_output=True, text=True).stdout
    frames = []
    for line in said.splitlines():
        time, length, captured, *macs = line.split("\t")
        seconds, _, fraction = time.partition(".")
        instant = int(seconds or 0) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
        start = bytes.fromhex("".join(macs).replace(":", ""))
        frames.append(Frame(instant, int(length), int(captured), start))
    return frames


def alike(mine: list[Frame], theirs: list[Frame]) -> bool:
    """Equal, where tshark says how a frame starts that too."""
    assert theirs, "tshark read nothing"
    return len(mine) == len(theirs) and all(
        (one.time, one.length, one.captured) == (other.time, other.length, other.captured)
        and one.start[: len(other.start)] == other.start
        for one, other in zip(mine, theirs, strict=True)
    )


def tool(*arguments: str | Path) -> None:
    subprocess.run([str(argument) for argument in arguments], check=True, capture_output=True)


def swapped(content: bytes) -> bytes:
    """A little-endian classic capture as a machine of the other kind writes it."""
    pieces = [struct.pack(">IHHIIII", *struct.unpack("<IHHIIII", content[:24]))]
    here = 24
    while here < len(content):
        fields = struct.unpack("<IIII", content[here : here + 16])
        pieces += [struct.pack(">IIII", *fields), content[here + 16 : here + 16 + fields[2]]]
        here += 16 + fields[2]
    return b"".join(pieces)


@dataclass(frozen=True)
class Pcapng:
    """Blocks of one section in one byte order (draft-ietf-opsawg-pcapng)."""

    order: str = "<"

    def _block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack(self.order + "I", len(body) + 12)
        return struct.pack(self.order + "I", kind) + size + body + size

    def options(self, options: Iterable[tuple[int, bytes]]) -> bytes:
        packed = b"".join(
            struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
            for code, value in options
        )
        return packed + bytes(4) if packed else b""

    def section(self) -> bytes:
        return self._block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(
        self,
        link_type: int = ETHERNET,
        resolution: int | None = None,
        offset_s: int | None = None,
        snaplen: int = 0,
    ) -> bytes:
        options = [(2, b"name")]
        if resolution is not None:
            options.append((9, bytes([resolution])))
        if offset_s is not None:
            options.append((14, struct.pack(self.order + "q", offset_s)))
        return self._block(1, struct.pack(self.order + "HHI", link_type, 0, snaplen) + self.options(options))

    def packet(self, interface: int, ticks: int, content: bytes, length: int | None = None) -> bytes:
        fields = (interface, ticks >> 32, ticks & 0xFFFFFFFF, len(content), length or len(content))
        padding = bytes(-len(content) % 4)
        comment = self.options([(1, b"said by a person")])
        return self._block(6, struct.pack(self.order + "IIIII", *fields) + content + padding + comment)

    def old_packet(self, interface: int, ticks: int, content: bytes) -> bytes:
        fields = (interface, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(content), len(content))
        return self._block(2, struct.pack(self.order + "HHIIII", *fields) + content)

    def simple_packet(self, content: bytes, length: int | None = None) -> bytes:
        return self._block(3, struct.pack(self.order + "I", length or len(content)) + content)

    def statistics(self) -> bytes:
        """A block that is no packet."""
        return self._block(5, struct.pack(self.order + "III", 0, 0, 0))
