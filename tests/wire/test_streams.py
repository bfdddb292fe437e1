"""A TCP stream is put in order again, whatever the network did to its segments."""

import random

from hypothesis import given
from hypothesis import strategies as st

from appliance.wire.streams import AHEAD_BYTES, Stream

SENT = bytes(random.Random(7).randbytes(5000))


def pieces(stream: Stream, segments: list[tuple[int, bytes]]) -> list[tuple[bytes, bool]]:
    found = [
        piece for number, payload in segments for piece in stream.take(number % (1 << 32), False, payload)
    ]
    return found + list(stream.rest())


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
    st.sampled_from([0, 1, 1 << 31, (1 << 32) - 700]),
)
def test_order_repetition_and_overlap_do_not_matter(
    sizes: list[int], chance: random.Random, begin: int
) -> None:
    segments, at = [], 0
    for size in sizes:
        early = chance.choice([0, 0, 0, min(at, 50)])  # some segments carry again what was sent before
        segments.append((begin + at - early, SENT[at - early : at + size]))
        at += size
    segments = [(number, payload) for number, payload in segments if payload]
    sent = SENT[: min(at, len(SENT))]
    order = sorted(range(len(segments)), key=lambda index: index + chance.uniform(0, 4))
    shuffled = [segments[index] for index in order] + chance.choices(segments, k=3)
    stream = Stream()
    list(stream.take((begin - 1) % (1 << 32), True, b""))
    found = pieces(stream, shuffled)
    assert b"".join(piece for piece, _ in found) == sent
    assert not any(missing for _, missing in found)


def test_a_hole_is_told_where_it_is() -> None:
    segments = [(0, b"aaa"), (6, b"ccc"), (9, b"ddd"), (20, b"eee")]
    assert pieces(Stream(), segments) == [(b"aaa", False), (b"ccc", True), (b"ddd", False), (b"eee", True)]


def test_a_segment_that_never_comes_is_not_waited_for_for_ever() -> None:
    stream, found, number = Stream(), [], 1000
    found += list(stream.take(0, False, b"first"))
    while len(found) == 1:
        found += list(stream.take(number, False, b"x" * 1000))
        number += 1000
        assert number < AHEAD_BYTES + 10_000
    assert found[1] == (b"x" * 1000, True)
    assert not any(missing for _, missing in found[2:])
    assert list(stream.take(500, False, b"too late")) == []
