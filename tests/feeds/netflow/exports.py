"""Captured exports, and what tshark reads in them: one run over all, each from an exporter of its own."""

import json
import struct
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[1] / "cases"
PORT = 2055
RECEIVED_S = 1_790_000_000


@dataclass(frozen=True)
class Case:
    """Export messages of one device, in order, and what its case.toml says of them."""

    name: str
    messages: tuple[bytes, ...]
    stated: dict[str, Any]


def read_cases() -> list[Case]:
    """Every folder whose case.toml names files of NetFlow or IPFIX."""
    cases = []
    for path in sorted(CASES.glob("*/case.toml")):
        stated = tomllib.loads(path.read_text())
        if path.parent.name.startswith(("v5-", "v9-", "ipfix-")):
            messages = tuple(m for name in stated["files"] for m in read_messages(path.parent / name))
            cases.append(Case(path.parent.name, messages, stated))
    return cases


def read_messages(path: Path) -> Iterator[bytes]:
    """Of a capture, the payloads of its UDP datagrams (one frame, one datagram); else the file itself."""
    octets = path.read_bytes()
    if path.suffix != ".pcap":
        while octets:  # messages one after the other, as far as their headers say how long they are
            second = int.from_bytes(octets[2:4])
            length = {b"\0\x05": 24 + 48 * second, b"\0\x0a": second}.get(octets[:2], len(octets))
            yield octets[:length]
            octets = octets[length:]
        return
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack_from(order + "I", octets, 20)[0]
    at = 24
    while at < len(octets):
        length = struct.unpack_from(order + "I", octets, at + 8)[0]
        frame = octets[at + 16 : at + 16 + length]
        at += 16 + length
        if link == 1:
            frame = frame[18:] if frame[12:14] == b"\x81\x00" else frame[14:]
        header = 4 * (frame[0] & 15) if frame[0] >> 4 == 4 else 40
        size = struct.unpack_from("!H", frame, header + 4)[0]
        yield frame[header + 8 : header + size]


def write_capture(path: Path, exporters: Sequence[Sequence[bytes]]) -> None:
    """A capture of raw IP in which exporter n has address 10.0.n/256.n%256."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    for number, messages in enumerate(exporters):
        for message in messages:
            datagram = struct.pack("!HHHH", PORT, PORT, 8 + len(message), 0) + message
            source = bytes([10, 0, number // 256, number % 256])
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
            packet = header + source + bytes([192, 0, 2, 1]) + datagram
            out.append(struct.pack("<IIII", RECEIVED_S, 0, len(packet), len(packet)) + packet)
    path.write_bytes(b"".join(out))


def dissect(exporters: Sequence[Sequence[bytes]], folder: Path) -> list[list[dict[str, Any]]]:
    """What tshark makes of each exporter's messages: its `cflow` trees.

    It sees each exporter twice and what it makes of the second time counts: of data before its template it
    makes nothing.
    """
    capture = folder / "exports.pcap"
    write_capture(capture, [[*messages, *messages] for messages in exporters])
    command = ["tshark", "-r", str(capture), "-d", f"udp.port=={PORT},cflow", "-T", "json", "-J", "ip cflow"]
    done = subprocess.run([*command, "--no-duplicate-keys"], capture_output=True, check=True, timeout=120)
    found: list[list[dict[str, Any]]] = [[] for _ in exporters]
    for packet in json.loads(done.stdout):
        layers = packet["_source"]["layers"]
        *_, high, low = (int(part) for part in layers["ip"]["ip.src"].split("."))
        found[high * 256 + low].append(layers.get("cflow", {}))
    return [messages[len(messages) // 2 :] for messages in found]
