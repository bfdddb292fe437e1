"""Tags, options, header chains and fragments: scapy makes the frames and says which packets they are."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from appliance.model.addresses import MAPPED_V4, ip_text
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN, Packets
from tests.forge import reading

FORGE = "packet_frames.py"


def forged() -> list[SimpleNamespace]:
    return reading.cases(FORGE)


def as_frames(contents: list[bytes], length: int = 0) -> Frames:
    """Frames a nanosecond apart, in a buffer whose unused bytes are not zero, so that reading them shows."""
    gap = b"\xa5" * 16
    sizes = np.array([len(content) for content in contents], np.int64)
    data = np.frombuffer(
        b"".join(content + gap for content in contents) + b"\xa5" * PADDING_BYTES, np.uint8
    ).copy()
    offsets = np.cumsum(sizes + len(gap)) - sizes - len(gap)
    return Frames(data, offsets, sizes, np.maximum(sizes, length), np.arange(len(contents)), ETHERNET)


def told(decoded: Decoded) -> list[list[Any]]:
    rows = [
        (int(packets.time[at]), row(packets, at)) for packets in decoded.packets for at in range(len(packets))
    ]
    return [what for _, what in sorted(rows)]


def row(packets: Packets, at: int) -> list[Any]:
    wire = b"".join(column[at].tobytes() for column in packets.addresses)
    half = len(wire) // 2
    numbers = [int.from_bytes(part, "big") for part in (wire[:half], wire[half:])]
    if packets.family == 4:
        numbers = [MAPPED_V4 | number for number in numbers]
    addresses = [ip_text(number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF) for number in numbers]
    ports = packets.ports[at].tobytes()
    known = not packets.shape[at] & PORTS_UNKNOWN
    pair = [int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")] if known else [-1, -1]
    vlan = -1 if packets.vlan is None else int(packets.vlan[at])
    return [*addresses, int(packets.shape[at] & 0xFF), *pair, int(packets.octets[at]), vlan]


def test_every_forged_batch_is_taken_for_what_it_is() -> None:
    assert len(forged()) > 100
    for case in forged():
        contents = [bytes.fromhex(frame) for frame in case.frames]
        decoded = Decoder().decode(as_frames(contents, getattr(case, "length", 0)))
        assert (case.name, told(decoded)) == (case.name, case.packets)
        assert sum(decoded.refused.values()) == len(case.frames) - len(case.packets)


def test_the_pieces_of_a_datagram_may_come_in_different_batches() -> None:
    for case in forged():
        if case.name in ("IPv4 fragments", "IPv6 fragments"):
            decoder = Decoder()
            batches = [decoder.decode(as_frames([bytes.fromhex(frame)])) for frame in case.frames]
            assert [what for decoded in batches for what in told(decoded)] == case.packets


def test_a_cut_frame_is_metered_in_full_from_its_headers() -> None:
    """Cut behind the ports, a packet says all it said; cut before, it keeps addresses and length."""
    for case in forged():
        if len(case.frames) > 1 or not case.packets or "jumbo" in case.name:
            continue
        frame = bytes.fromhex(case.frames[0])
        for size in range(len(frame)):
            for what in told(Decoder().decode(as_frames([frame[:size]]))):
                (whole,) = case.packets
                assert (case.name, size, what[:2], what[5:]) == (case.name, size, whole[:2], whole[5:])
                assert what[2:5] in (whole[2:5], [whole[2], -1, -1]) or what[3:5] == [-1, -1]
