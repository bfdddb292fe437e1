"""Export messages to the byte, from the headers of RFC 3954 and RFC 7011: for tests of order, numbers and
damage."""

import struct
from collections.abc import Sequence

import numpy as np

from appliance.feeds.told import Messages

NOW_S = 1_790_000_000
NOW_NS = NOW_S * 10**9
UPTIME_MS = 3_600_000

FLOW = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4))
RECORD = struct.Struct("!4s4sHHBII")


def record(source: int = 1, octets: int = 100) -> bytes:
    return RECORD.pack(bytes([192, 0, 2, source]), bytes([198, 51, 100, 7]), 40_000, 443, 6, octets, 2)


def template(number: int, fields: Sequence[tuple[int, int]] = FLOW) -> bytes:
    return struct.pack("!HH", number, len(fields)) + b"".join(struct.pack("!HH", *each) for each in fields)


def a_set(number: int, octets: bytes) -> bytes:
    padding = -len(octets) % 4
    return struct.pack("!HH", number, 4 + len(octets) + padding) + octets + bytes(padding)


def v9(*sets: bytes, sequence: int = 0, domain: int = 1, uptime: int = UPTIME_MS, at_s: int = NOW_S) -> bytes:
    return struct.pack("!HHIIII", 9, len(sets), uptime, at_s, sequence, domain) + b"".join(sets)


def ipfix(*sets: bytes, sequence: int = 0, domain: int = 1, at_s: int = NOW_S) -> bytes:
    body = b"".join(sets)
    return struct.pack("!HHIII", 10, 16 + len(body), at_s, sequence, domain) + body


def v5(count: int, sequence: int = 0, sampling: int = 0, uptime: int = UPTIME_MS, engine: int = 0) -> bytes:
    header = struct.pack("!HHIIIIBBH", 5, count, uptime, NOW_S, 0, sequence, 0, engine, sampling)
    one = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + bytes(8) + struct.pack("!II", 2, 100)
    one += (
        struct.pack("!II", uptime - 2000, uptime - 1000)
        + struct.pack("!HHBBBB", 40_000, 443, 0, 0, 6, 0)
        + bytes(8)
    )
    return header + one * count


def messages(*payloads: bytes, at_ns: int = NOW_NS) -> Messages:
    return Messages(np.full(len(payloads), at_ns, np.int64), payloads)
