"""Real frames to begin from, those of the cases, and forged ones where no real capture is to be had."""

import json
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

from appliance.capture.files import CaptureFile
from appliance.model.frames import ETHERNET

CASES = Path(__file__).parent.parent / "cases"
FORGE = Path(__file__).parent.parent / "forge"
QUICKLY_FORGED = ("access_point_frames", "wifi_frames")
FORGED = (*QUICKLY_FORGED, "tunnel_frames", "fragment_frames")
LONGEST = 600
MOST_OF_A_CAPTURE = 40


@cache
def frames() -> list[bytes]:
    """Up to forty frames of every little-endian Ethernet pcap among the cases, none twice, cut to LONGEST."""
    found: dict[bytes, None] = {}
    for path in sorted(CASES.glob("*/*.pcap")):
        content = path.read_bytes()
        is_little = content[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
        if not is_little or int.from_bytes(content[20:22], "little") != ETHERNET:
            continue
        at, count = 24, 0
        while at + 16 <= len(content) and count < MOST_OF_A_CAPTURE:
            (captured,) = struct.unpack("<I", content[at + 8 : at + 12])
            found[content[at + 16 : at + 16 + min(captured, LONGEST)]] = None
            at += 16 + captured
            count += 1
    return list(found)


@cache
def by_link_type(forges: tuple[str, ...] = FORGED) -> dict[int, list[bytes]]:
    """Up to forty frames of every capture among the cases, and what these forges make, by link type."""
    found: dict[int, dict[bytes, None]] = {}
    captures = (path for path in CASES.glob("*/*") if path.suffix in (".pcap", ".pcapng", ".gz", ".zst"))
    for path in sorted(captures):
        taken = 0
        with CaptureFile(path) as capture:
            for batch in capture:
                places = zip(batch.offsets.tolist(), batch.captured.tolist(), strict=True)
                for at, size in list(places)[: MOST_OF_A_CAPTURE - taken]:
                    content = batch.data[at : at + min(size, LONGEST)].tobytes()
                    found.setdefault(batch.link_type, {})[content] = None
                taken += len(batch)
    for name in forges:
        for link_type, content in _forged(name):
            found.setdefault(link_type, {})[content[:LONGEST]] = None
    return {link_type: list(contents) for link_type, contents in sorted(found.items())}


def _forged(name: str) -> list[tuple[int, bytes]]:
    """What scapy forges, in a process of its own (GPL)."""
    command = [sys.executable, FORGE / f"{name}.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = []
    for said in map(json.loads, done.stdout.splitlines()):
        link_type = said.get("link_type", said.get("link", ETHERNET))
        contents = [frame[-1] if isinstance(frame, list) else frame for frame in said.get("frames", [])]
        found += [(link_type, bytes.fromhex(content)) for content in (*contents, said.get("frame", ""))]
    return found


def captures() -> list[Path]:
    """Small uncompressed capture files of every format among the cases."""
    found = (*CASES.glob("*/*.pcap"), *CASES.glob("*/*.pcapng"))
    return sorted(path for path in found if path.stat().st_size < 30_000)
