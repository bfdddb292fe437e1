"""Real frames to begin from: those of the cases, read with nothing but `struct`."""

import struct
from functools import cache
from pathlib import Path

CASES = Path(__file__).parent.parent / "cases"
LONGEST = 600


@cache
def frames() -> list[bytes]:
    """Up to forty frames of every little-endian pcap among the cases, none twice, cut to LONGEST bytes."""
    found: dict[bytes, None] = {}
    for path in sorted(CASES.glob("*/*.pcap")):
        content = path.read_bytes()
        if content[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
            continue
        at, count = 24, 0
        while at + 16 <= len(content) and count < 40:
            (captured,) = struct.unpack("<I", content[at + 8 : at + 12])
            found[content[at + 16 : at + 16 + min(captured, LONGEST)]] = None
            at += 16 + captured
            count += 1
    return list(found)


def captures() -> list[Path]:
    """Small uncompressed capture files of every format among the cases."""
    found = (*CASES.glob("*/*.pcap"), *CASES.glob("*/*.pcapng"))
    return sorted(path for path in found if path.stat().st_size < 30_000)
