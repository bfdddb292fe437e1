"""Where records begin: many lanes at once find what a walk record by record finds, whatever lies in them."""

import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.capture import walk as walking
from appliance.capture.walk import LONGEST_RECORD_BYTES, Walk, walk

NOW = 1_700_000_000
READABLE = 128


def record(order: str, size: int, number: int, payload: bytes | None = None) -> bytes:
    content = bytes(size) if payload is None else payload.ljust(size, b"\xee")[:size]
    return struct.pack(order + "IIII", NOW + number // 1000, number % 1000, size, size) + content


def one_by_one(data: bytes, start: int, end: int, order: str) -> tuple[list[int], int, bool]:
    """The definition, in the plainest words."""
    here = start
    offsets: list[int] = []
    while here + 16 <= end:
        (size,) = struct.unpack_from(order + "I", data, here + 8)
        if size > LONGEST_RECORD_BYTES:
            return offsets, here, True
        if here + 16 + size > end:
            break
        offsets.append(here)
        here += 16 + size
    return offsets, here, False


def found(content: bytes, order: str, start: int = 0, behind: bytes = bytes(READABLE)) -> Walk:
    data = np.frombuffer(content + behind, np.uint8).copy()
    return walk(data, start, len(content), order == ">")


def check(content: bytes, order: str, start: int = 0) -> None:
    for behind in (bytes(READABLE), record(order, 0, 0) * (READABLE // 16)):
        walked = found(content, order, start, behind)
        expected = one_by_one(content, start, len(content), order)
        assert (walked.offsets.tolist(), walked.next, walked.damaged) == expected


class Lanes:
    """Short lanes, so that short contents have many; says whether they were believed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.believed = 0
        monkeypatch.setattr(walking, "_LANE_BYTES", 2400)
        real = walking._walk_lanes

        def watched(*given: object) -> Walk | None:
            walked = real(*given)  # type: ignore[arg-type]
            self.believed += walked is not None
            return walked

        monkeypatch.setattr(walking, "_walk_lanes", watched)


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> Lanes:
    return Lanes(monkeypatch)


ORDERS = st.sampled_from("<>")
SIZES = st.one_of(st.integers(0, 8), st.integers(0, 120), st.integers(0, 1600), st.just(60))


def contents(draw: st.DrawFn) -> tuple[bytes, str]:
    """Records of all sizes; some carry what looks like records, some were cut, some are damaged."""
    order, number = draw(ORDERS), 0
    pieces: list[bytes] = []
    for size, count, planted in draw(
        st.lists(st.tuples(SIZES, st.integers(1, 80), st.booleans()), min_size=1, max_size=30)
    ):
        lure = b"".join(record(order, 20, number, b"!") for _ in range(size // 36)) if planted else None
        for _ in range(count):  # of one kind
            pieces.append(record(order, size, number, lure))
            number += 1
    return b"".join(pieces), order


CONTENTS = st.composite(contents)()


@settings(max_examples=80)
@given(made=CONTENTS, cut=st.integers(0, 2000), data=st.data())
def test_lanes_find_what_a_walk_record_by_record_finds(
    made: tuple[bytes, str], cut: int, data: st.DataObject
) -> None:
    content, order = made
    content = content[: max(len(content) - cut, 0)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(walking, "_LANE_BYTES", 2400)
        check(content, order)
        if len(content) > 40:
            at = data.draw(st.integers(0, len(content) - 5))
            hurt = data.draw(st.binary(min_size=1, max_size=4))
            check(content[:at] + hurt + content[at + len(hurt) :], order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_lanes_are_believed_on_an_ordinary_capture(order: str, lanes: Lanes) -> None:
    sizes = [60, 1514, 66, 90, 60, 590]
    content = b"".join(record(order, sizes[number % 6], number) for number in range(400))
    check(content, order)
    assert lanes.believed


def test_a_walk_begins_where_it_is_told(lanes: Lanes) -> None:
    content = b"\xff" * 24 + b"".join(record("<", 100, number) for number in range(400))
    check(content, "<", start=24)
    assert lanes.believed


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_capture_inside_a_capture_is_not_taken_apart(order: str, lanes: Lanes) -> None:
    """Somebody downloads a capture: its records lie in the payloads of ours, header after header."""
    inner = b"".join(record(order, 60, number) for number in range(40))
    content = b"".join(
        record(order, len(inner[shift:]), shift, inner[shift:]) for shift in range(60) for _ in range(2)
    )
    check(content, order)


def test_the_last_record_cut_at_every_byte(lanes: Lanes) -> None:
    content = b"".join(record("<", 70, number) for number in range(500))
    for missing in range(87):
        check(content[: len(content) - missing], "<")


@pytest.mark.parametrize("size", [LONGEST_RECORD_BYTES + 1, 300_000, 0x7FFF_FFFF, 0xFFFF_FFFF])
@pytest.mark.parametrize("place", [0, 7, 2500, 4_999])
def test_a_record_that_is_too_long_is_damage_wherever_it_lies(size: int, place: int) -> None:
    """One of 300,000 octets may lie whole in the chunk, with good records behind it: damage all the same."""
    good = [record("<", 200, number) for number in range(5_000)]
    damaged = struct.pack("<IIII", NOW, 0, size, size) + bytes(min(size, 300_000))
    content = b"".join([*good[:place], damaged, *good[place:]])
    check(content, "<")


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x01", struct.pack("<I", NOW)])
def test_garbage_is_over_soon(filler: bytes) -> None:
    head = b"".join(record("<", 60, number) for number in range(30_000))
    content = head + filler * ((1 << 20) // len(filler))
    began = time.process_time()
    check(content, "<")
    assert time.process_time() - began < 3


def test_endless_empty_records_between_lanes_cost_no_memory() -> None:
    """Lanes begin only at records with content: a megabyte of empty ones makes one lane very long."""
    import tracemalloc

    head = b"".join(record("<", 60, number) for number in range(40_000))
    content = head + record("<", 0, 0) * 60_000 + head[: len(head) // 2]
    data = np.frombuffer(content + bytes(READABLE), np.uint8).copy()
    tracemalloc.start()
    walked = walk(data, 0, len(content), False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (walked.offsets.tolist(), walked.next, walked.damaged) == one_by_one(content, 0, len(content), "<")
    assert peak < 64 << 20
