"""Plays captures onto an interface, as the mirror port of a switch would: frame by frame, in their order.

    python demo/replay.py --seconds 10 veth0 one.pcap another.pcap

Only for demonstrations and tests: Greffier itself never sends a frame.
"""

import argparse
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ETHERNET = 1
SHORTEST_FRAME = 14


@dataclass(frozen=True)
class Frame:
    """One frame of a capture, and when it came: nanoseconds after the capture's first frame."""

    after_ns: int
    content: bytes


def read_capture(path: Path) -> list[Frame]:
    """The frames of a classic Ethernet capture, either byte order, micro- or nanoseconds."""
    raw = path.read_bytes()
    for order in "<>":
        magic, link_type = struct.unpack_from(order + "I16xI", raw)
        if magic in (0xA1B2C3D4, 0xA1B23C4D):
            break
    else:
        raise SystemExit(f"{path} is not a classic capture file")
    if link_type & 0xFFFF != ETHERNET:
        raise SystemExit(f"{path} does not hold Ethernet frames")
    unit_ns = 1000 if magic == 0xA1B2C3D4 else 1
    frames: list[Frame] = []
    begun_ns = None
    at = 24
    while at + 16 <= len(raw):
        seconds, fraction, captured = struct.unpack_from(order + "3I", raw, at)
        instant_ns = seconds * 1_000_000_000 + fraction * unit_ns
        begun_ns = instant_ns if begun_ns is None else begun_ns
        frames.append(Frame(instant_ns - begun_ns, raw[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return frames


def side_by_side(captures: Iterable[list[Frame]]) -> list[Frame]:
    """Several captures as if they had begun at the same moment."""
    return sorted((frame for capture in captures for frame in capture), key=lambda frame: frame.after_ns)


def send(interface: str, frames: list[Frame], seconds: float) -> Iterator[int]:
    """Send all frames within `seconds`, in the capture's rhythm; yields how many are out, as it goes."""
    last_ns = max(frames[-1].after_ns, 1)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((interface, 0))
        begun = time.monotonic()
        for sent, frame in enumerate(frames):
            pause = begun + seconds * frame.after_ns / last_ns - time.monotonic()
            if pause > 0:
                yield sent
                time.sleep(pause)
            if len(frame.content) >= SHORTEST_FRAME:
                sender.send(frame.content)
        yield len(frames)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the whole takes")
    parser.add_argument("interface")
    parser.add_argument("captures", nargs="+", type=Path)
    chosen = parser.parse_args()
    frames = side_by_side(read_capture(path) for path in chosen.captures)
    *_, sent = send(chosen.interface, frames, chosen.seconds)
    print(f"{sent} frames sent on {chosen.interface}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
