"""Exports of flows drawn from a fixed seed, as NetFlow v5, v9 and IPFIX datagrams, and as captures of them.

400 clients of a Wi-Fi for ten minutes: pairs of uniflows, request and answer, in the order in which their
timers ran out. A template comes with every twentieth datagram, as from common devices.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.generate import FOLDER

FORMATS = ("v5", "v9", "ipfix")
FLOWS = 600_000
RECORDS = 28
"""Records of a datagram: 1,372 octets in v5, and less than an Ethernet frame in all."""

START_S = 1_767_271_200
_TEMPLATE = 260
_TEMPLATE_EVERY = 20
_PORT = 2055

_V5 = np.dtype(
    [
        ("source", ">u4"), ("destination", ">u4"), ("next_hop", ">u4"), ("input", ">u2"), ("output", ">u2"),
        ("packets", ">u4"), ("octets", ">u4"), ("first", ">u4"), ("last", ">u4"),
        ("source_port", ">u2"), ("destination_port", ">u2"), ("pad", "u1"), ("flags", "u1"),
        ("protocol", "u1"), ("tos", "u1"), ("source_as", ">u2"), ("destination_as", ">u2"),
        ("masks", ">u2"), ("pad2", ">u2"),
    ]
)  # fmt: skip
_FIELDS = (
    *(("source", 8, ">u4"), ("destination", 12, ">u4"), ("source_port", 7, ">u2")),
    *(("destination_port", 11, ">u2"), ("protocol", 4, "u1"), ("packets", 2, ">u4"), ("octets", 1, ">u4")),
    *(("first", 22, ">u4"), ("last", 21, ">u4"), ("input", 10, ">u2"), ("flags", 6, "u1")),
)
"""Name, element, type, as of v9: first and last in milliseconds of sysUpTime. IPFIX has others for these."""


def draw(form: str) -> Path:
    """A capture of the exports in one format; kept if it is there."""
    path = FOLDER / f"exports-{form}.pcap"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_capture(datagrams(form)))
    return path


def datagrams(form: str, flows: int = FLOWS, start_s: int = START_S, each: int = RECORDS) -> list[bytes]:
    """The exports in one format, `each` flows a datagram, of flows that begin at `start_s` (UTC)."""
    drawn = _flows(flows)
    kind = _V5 if form == "v5" else _record(form)
    records = np.zeros(len(drawn["source"]), kind)
    for name in kind.names or ():
        if name in drawn:
            records[name] = drawn[name]
    if form == "ipfix":
        for name in ("first", "last"):
            records[name] = drawn[name].astype(np.uint64) + start_s * 1000
    sent: list[bytes] = []
    for start in range(0, len(records), each):
        part = records[start : start + each]
        sent.append(_message(form, len(sent), start, part.tobytes(), len(part), start_s))
    return sent


def _flows(count: int) -> dict[str, NDArray[np.int64]]:
    chance = np.random.default_rng(20261122)
    pairs = count // 2
    begins = np.sort(chance.integers(0, 600_000, pairs))
    lasts = begins + chance.exponential(4_000, pairs).astype(np.int64)
    client = (10 << 24 | 20 << 16) + chance.integers(2, 402, pairs)
    peer = chance.integers(1 << 24, 9 << 24, pairs)
    port, service = chance.integers(32_768, 61_000, pairs), chance.choice([443, 443, 443, 80, 53], pairs)
    round_trip = chance.integers(1, 80, pairs)

    def both(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.stack([one, other], 1).reshape(-1)

    packets = 1 + chance.geometric(0.05, 2 * pairs)
    return {
        "source": both(client, peer),
        "destination": both(peer, client),
        "source_port": both(port, service),
        "destination_port": both(service, port),
        "protocol": np.repeat(np.where(service == 53, 17, 6), 2),
        "packets": packets,
        "octets": packets * chance.integers(40, 1400, 2 * pairs),
        "first": both(begins, begins + round_trip),
        "last": both(lasts, lasts + round_trip),
        "input": both(np.full(pairs, 1), np.full(pairs, 2)),
        "flags": np.full(2 * pairs, 0x1B),
    }


def _record(form: str) -> np.dtype[np.void]:
    times = {"first", "last"} if form == "ipfix" else set()
    return np.dtype([(name, ">u8" if name in times else kind) for name, _, kind in _FIELDS])


def _template(form: str) -> bytes:
    elements = {"first": 152, "last": 153} if form == "ipfix" else {}
    kind = _record(form)
    fields = b"".join(
        struct.pack("!HH", elements.get(name, element), kind[name].itemsize) for name, element, _ in _FIELDS
    )
    head = struct.pack("!HH", _TEMPLATE, len(_FIELDS))
    return struct.pack("!HH", 2 if form == "ipfix" else 0, 8 + len(fields)) + head + fields


def _message(form: str, number: int, before: int, records: bytes, count: int, start_s: int) -> bytes:
    uptime_ms = 700_000 + number // 40
    at_s = start_s + uptime_ms // 1000
    if form == "v5":
        return struct.pack("!HHIIIIBBH", 5, count, uptime_ms, at_s, 0, before, 0, 0, 0) + records
    told = b"" if number % _TEMPLATE_EVERY else _template(form)
    padding = bytes(-len(records) % 4)
    body = told + struct.pack("!HH", _TEMPLATE, 4 + len(records) + len(padding)) + records + padding
    if form == "v9":
        return struct.pack("!HHIIII", 9, count + bool(told), uptime_ms, at_s, number, 1) + body
    return struct.pack("!HHIII", 10, 16 + len(body), at_s, before, 1) + body


def _capture(payloads: list[bytes]) -> bytes:
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    ethernet = bytes.fromhex("020000000001020000000002") + b"\x08\x00"
    for number, payload in enumerate(payloads):
        size = 28 + len(payload)
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, number & 0xFFFF, 0, 64, 17, 0, *_ENDS)
        udp = struct.pack("!HHHH", 40_000, _PORT, 8 + len(payload), 0)
        microseconds = number * 25
        second, fraction = START_S + 700 + microseconds // 1_000_000, microseconds % 1_000_000
        parts.append(struct.pack("<IIII", second, fraction, 14 + size, 14 + size))
        parts += [ethernet, header, udp, payload]
    return b"".join(parts)


_ENDS = (bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1]))
