"""Fragments: honest ones get their ports, misused ones are counted, and nobody gets another's ports."""

import shutil
import struct
import subprocess
from collections.abc import Iterable
from functools import cache
from time import process_time_ns
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.reasons import Note, Refusal
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.fragments import LIMIT, TIMEOUT_NS
from appliance.wire.lots import LOT
from appliance.wire.packets import PORTS_UNKNOWN
from tests.forge import reading

FORGE = "fragment_frames.py"
MS = 1_000_000
START = 1_795_000_000_000 * MS
TINY = b"\xa5" * 7


@cache
def forged() -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            **vars(case) | {"frames": [(time * MS, bytes.fromhex(frame)) for time, frame in case.frames]}
        )
        for case in reading.cases(FORGE)
    ]


def decode(decoder: Decoder, frames: Iterable[tuple[int, bytes]]) -> Decoded:
    times, contents = zip(*frames, strict=True)
    sizes = np.array([len(content) for content in contents], np.int64)
    data = np.frombuffer(b"".join(content + TINY for content in contents) + b"\xa5" * PADDING_BYTES, np.uint8)
    offsets = np.cumsum(sizes + len(TINY)) - sizes - len(TINY)
    return decoder.decode(Frames(data.copy(), offsets, sizes, sizes, START + np.array(times), ETHERNET))


def said(decoded: Decoded) -> tuple[list[list[int] | None], list[int]]:
    """Ports (None where unknown) and protocols of the packets, in the order of their frames."""
    found = {}
    for packets in decoded.packets:
        for row in range(len(packets)):
            wire = packets.ports[row].tobytes()
            known = not packets.shape[row] & PORTS_UNKNOWN
            pair = [int.from_bytes(wire[:2]), int.from_bytes(wire[2:])] if known else None
            found[int(packets.at[row])] = (pair, int(packets.shape[row]) & 0xFF)
    return [found[at][0] for at in sorted(found)], [found[at][1] for at in sorted(found)]


def notes(decoded: Decoded) -> dict[str, int]:
    noted = {note.value: count for note, count in decoded.noted.items()}
    noted.pop(Note.TUNNELLED, None)  # test_tunnels asks for it
    return noted


def test_every_forged_datagram_is_what_its_maker_says() -> None:
    for case in forged():
        decoded = decode(Decoder(), case.frames)
        assert (case.name, *said(decoded)) == (case.name, case.ports, case.protocols[: len(case.ports)])
        assert (case.name, notes(decoded)) == (case.name, case.notes)
        lost = len(case.frames) - len(case.ports)
        assert decoded.refused == ({Refusal.TUNNEL_FRAGMENT: lost} if lost else {})


def test_in_batches_of_one_the_same_is_said_of_what_comes_in_order() -> None:
    for case in forged():
        if "reverse" in case.name:
            continue
        decoder, ports, counted = Decoder(), [], dict.fromkeys(case.notes, 0)
        for frame in case.frames:
            decoded = decode(decoder, [frame])
            ports += said(decoded)[0]
            for note, count in notes(decoded).items():
                if note != Note.FRAGMENT_UNFINISHED:
                    counted[note] = counted.get(note, 0) + count
        assert (case.name, ports) == (case.name, case.ports)
        assert (case.name, counted) == (case.name, case.notes)


def test_what_is_cut_anywhere_never_gets_other_ports() -> None:
    for case in forged():
        whole = {tuple(pair) for pair in case.ports if pair}
        for cut in range(14, min(90, max(len(frame) for _, frame in case.frames))):
            ports, _ = said(decode(Decoder(), [(time, frame[:cut]) for time, frame in case.frames]))
            outside = {tuple(pair) for pair in ports if pair} - whole
            assert not outside, (case.name, cut)


def test_tshark_finds_the_same_overlaps() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: it judges this test")
    for case in forged():
        if case.kind != "evasion" and not case.name.endswith(("in order", "in reverse")):
            continue
        if "death" in case.name or "again" in case.name:
            continue  # it waits for what is missing before it judges, and knows no second use of a number
        capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET)
        for time, frame in case.frames:
            capture += struct.pack("<IIII", 1, time // 1000, len(frame), len(frame)) + frame
        fields = ("ip.fragment.overlap", "ipv6.fragment.overlap")
        options = ["-T", "fields", *(part for name in fields for part in ("-e", name))]
        run = subprocess.run(["tshark", "-r", "-", *options], input=capture, capture_output=True, check=True)
        overlaps = "1" in run.stdout.decode()
        assert (case.name, overlaps) == (case.name, case.odd == "overlap")


def datagram(
    source: int, identification: int, port: int, offset: int = 0, more: bool = True, protocol: int = 17
) -> bytes:
    """An IPv4 fragment of 16 bytes behind Ethernet."""
    bits = (0x2000 if more else 0) | offset // 8
    header = struct.pack(">BBHHHBBH", 0x45, 0, 36, identification, bits, 64, protocol, 0)
    header += bytes([10]) + source.to_bytes(3) + bytes([198, 51, 100, 7])
    return bytes(12) + b"\x08\0" + header + struct.pack(">HH", port, 53) + bytes(12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),  # sender
            st.integers(1, 2),  # identification
            st.integers(1, 4),  # port, where it is a first fragment
            st.sampled_from([0, 0, 8, 16, 24]),
            st.booleans(),  # more fragments
            st.sampled_from([17, 6]),
            st.sampled_from([0, 1, 100, 600, 20_000]),  # ms since the one before
        ),
        min_size=1,
        max_size=40,
    ),
    st.lists(st.integers(1, 40)),
    st.sampled_from([0, 2, LOT]),
)
@example(
    [(1, 2, 1, 0, True, 17, 0), (1, 2, 1, 8, False, 17, 20_000), (1, 1, 1, 0, True, 17, 20_000)], [1], LOT
)
def test_nobody_gets_the_ports_of_another(
    heard: list[tuple[int, int, int, int, bool, int, int]], cuts: list[int], lot: int
) -> None:
    """A plain model: ports come from a first fragment of the same datagram within the timeout.

    They are known where such a one came before, and unknown where none came at all.
    """
    now, frames = 0, []
    for sender, number, port, offset, more, protocol, pause in heard:
        now += pause * MS
        frames.append((now, datagram(sender, number, port, offset, more, protocol)))
    decoder, begin = Decoder(), 0
    for end in [*sorted(cut for cut in set(cuts) if cut < len(frames)), len(frames)]:
        with patch("appliance.wire.lots.LOT", lot):
            ports, _ = said(decode(decoder, frames[begin:end]))
        for at, got in enumerate(ports, begin):
            sender, number, port, offset, _, protocol, _ = heard[at]
            if offset == 0:
                assert got == [port, 53]
                continue
            near = [
                place
                for place in range(end)
                if (*heard[place][:2], *heard[place][3:6]) == (sender, number, 0, True, protocol)
                and abs(frames[place][0] - frames[at][0]) <= TIMEOUT_NS
            ]
            assert got is None or got in [[heard[place][2], 53] for place in near]
            assert got is not None or not any(place < at for place in near)
        begin = end


def test_a_flood_from_one_sender_leaves_the_others_their_ports() -> None:
    decoder = Decoder()
    decode(decoder, [(0, datagram(1, 7, 1111))])
    for batch in range(3):
        first = batch * 20_000
        decode(
            decoder, [(1 + batch, datagram(2, number & 0xFFFF, 9)) for number in range(first, first + 20_000)]
        )
    ports, _ = said(decode(decoder, [(10, datagram(1, 7, 0, 16, False))]))
    assert ports == [[1111, 53]]
    assert remembered(decoder) <= LIMIT + LOT


def test_a_flood_from_everywhere_is_forgotten_and_counted() -> None:
    decoder, unfinished = Decoder(), 0
    for batch in range(4):
        frames = [(batch, datagram(batch << 20 | number, 7, 9)) for number in range(20_000)]
        unfinished += decode(decoder, frames).noted.get(Note.FRAGMENT_UNFINISHED, 0)
    assert remembered(decoder) <= LIMIT + LOT
    after = decode(decoder, [(100_000 * MS, datagram(1, 1, 1))])
    unfinished += after.noted[Note.FRAGMENT_UNFINISHED]
    assert remembered(decoder) == 1
    assert unfinished == 80_000


def test_what_lies_in_tunnels_shares_the_memory_and_costs_nothing_later() -> None:
    """With a flood of fragments at each of eight depths behind it a batch costs what it costs at first."""

    def deep(frame: bytes, depth: int) -> bytes:
        packet = frame[14:]
        for _ in range(depth):
            packet = (
                struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(packet), 0, 0, 64, 4, 0) + frame[26:34] + packet
            )
        return frame[:14] + packet

    def cost(decoder: Decoder) -> int:
        probe = [(20, deep(datagram(1, 7, 0, 16), depth)) for depth in range(8)]
        begun = process_time_ns()
        decode(decoder, probe)
        return process_time_ns() - begun

    full, empty = Decoder(), Decoder()
    for depth in range(8):
        frames = [(depth, deep(datagram(number, 7, 9), depth)) for number in range(LIMIT)]
        assert notes(decode(full, frames)).keys() <= {"fragment_unfinished"}
        assert remembered(full) <= LIMIT + LOT
    costs = [(cost(full), cost(empty)) for _ in range(15)]
    assert min(first for first, _ in costs) < 2 * min(second for _, second in costs)


def remembered(decoder: Decoder) -> int:
    return len(decoder.fragments)


def test_a_datagram_that_ended_is_not_unfinished() -> None:
    decoder = Decoder()
    decode(decoder, [(0, datagram(1, 7, 1)), (1, datagram(1, 8, 1)), (2, datagram(1, 7, 0, 16, False))])
    assert decode(decoder, [(40_000 * MS, datagram(9, 9, 9))]).noted == {Note.FRAGMENT_UNFINISHED: 1}


def test_later_pieces_of_a_tunnel_are_refused_in_the_next_batch_too() -> None:
    (case,) = [case for case in forged() if case.name == "tunnel"]
    decoder = Decoder()
    assert said(decode(decoder, case.frames[:1]))[0] == case.ports
    later = decode(decoder, case.frames[1:])
    assert not later.packets
    assert later.refused == {Refusal.TUNNEL_FRAGMENT: len(case.frames) - 1}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=20, max_size=60), st.integers(-(10**12), 10**12)), max_size=12))
def test_any_fragments_at_any_time_raise_nothing(bodies: list[tuple[bytes, int]]) -> None:
    """Bytes behind an IPv4 or IPv6 header that says fragment, at instants that leap."""
    decoder = Decoder()
    for body, time in bodies:
        six = b"\x86\xdd\x60\0\0\0" + body[:2] + b"\x2c\x40" + bytes(32) + b"\x11\0" + body
        four = b"\x08\0\x45\0" + body[:2] + b"\0\7" + body[2:4] + b"\x40" + body[4:]
        for frame in (six, four):
            decoded = decode(decoder, [(time, bytes(12) + frame)] * 2)
            assert sum(map(len, decoded.packets)) + sum(decoded.refused.values()) == 2
