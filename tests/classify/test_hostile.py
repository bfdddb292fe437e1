"""Whatever lies behind the ports glanced at: no error, nothing read beyond a packet, bounded time."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.classify import dns, http, tls
from appliance.classify.glance import Categories
from appliance.classify.names import Names
from appliance.classify.systems import systems
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.wire import parameters
from appliance.wire.decode import Decoder
from tests.classify import forged
from tests.classify.reading import SECRETS, TABLES
from tests.classify.test_no_trace import dhcp
from tests.classify.test_quic import HELLO, crypto, sealed

SAMPLES = {
    "tls": forged.segment(forged.record(forged.hello("a.very.long.name.netflix.com"))),
    "http": forged.segment(forged.request("a.very.long.name.netflix.com"), to=80),
    "quic": forged.datagram(sealed("RFC 9001", crypto(0, HELLO))),
    "dns": forged.answer("a.very.long.name.netflix.com", [bytes((203, 0, 113, 9))] * 3),
    "dhcp": forged.datagram(dhcp("some-host"), port=68, to=67),
}


def batch(frames: list[bytes]) -> Frames:
    """Frames close beside each other, so that what is read beyond one is another's."""
    sizes = np.array([len(frame) for frame in frames], np.int64)
    data = np.frombuffer(b"".join(frames) + bytes(PADDING_BYTES), np.uint8).copy()
    return Frames(data, np.cumsum(sizes) - sizes, sizes, sizes, np.arange(len(frames)) * 1000, ETHERNET)


def glance(categories: Categories, frames: list[bytes]) -> int:
    found = 0
    for packets in Decoder().decode(batch(frames)).packets:
        categories.glance(packets)
        found += len(systems(packets, TABLES.fingerprints))
    return found


@pytest.fixture(scope="module")
def categories() -> Categories:
    return Categories(SECRETS, TABLES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_cut_at_every_byte_it_is_read_to_its_end_and_no_further(kind: str, categories: Categories) -> None:
    """Bytes that would finish it follow each cut frame: what is found in them was read beyond the end."""
    whole = SAMPLES[kind]
    sizes = np.arange(14, len(whole), 1 if len(whole) < 600 else 7, dtype=np.int64)
    data = np.frombuffer(whole * len(sizes) + bytes(PADDING_BYTES), np.uint8).copy()
    starts = np.arange(len(sizes), dtype=np.int64) * len(whole)
    cut = Frames(data, starts, sizes, np.full(len(sizes), len(whole)), starts, ETHERNET)
    fresh = Categories(SECRETS, TABLES)
    # Of the request nothing but its end mark lies behind the list that is looked for.
    told_by = {"quic": len(whole), "dhcp": len(whole) - 1}
    last_byte = told_by.get(kind, whole.rfind(b"netflix") + len(b"netflix\3com\0"))
    for packets in Decoder().decode(cut).packets:
        # The port is the same in every frame, so only cuts before the name may be glanced at here.
        early = np.flatnonzero(cut.captured[packets.at] < last_byte)
        fresh.glance(packets.slice(0, len(early)))
        assert len(systems(packets.slice(0, len(early)), TABLES.fingerprints)) == 0
        categories.glance(packets)
    assert (len(fresh._connections), len(fresh._addresses)) == (0, 0)


@pytest.mark.parametrize("kind", SAMPLES)
@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 40))
def test_changed_anywhere_it_raises_nothing(kind: str, categories: Categories, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(20):
        changed = np.frombuffer(SAMPLES[kind], np.uint8).copy()
        changed[rng.integers(34, len(changed), count)] = rng.integers(0, 256, count)
        frames.append(changed.tobytes())
    glance(categories, frames)


@given(
    st.lists(st.tuples(st.sampled_from([80, 443, 8080]), st.binary(min_size=60, max_size=300)), min_size=1)
)
def test_whatever_a_client_says_raises_nothing(categories: Categories, said: list[tuple[int, bytes]]) -> None:
    starts = (b"", b"\x16\3\1\1\0\1", b"GET / HTTP/1.1\r\nhost:", b"POST\nHost:\nhost:")
    frames = [forged.segment(start + body, to=port) for port, body in said for start in starts]
    frames += [forged.datagram(body.ljust(1250, body[:1])) for _, body in said]
    glance(categories, frames)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_the_readers_stand_any_bytes_at_any_place(content: bytes, tail: bytes) -> None:
    data = np.frombuffer(content + tail + bytes(PADDING_BYTES), np.uint8).copy()
    at = np.arange(len(content) + 1, dtype=np.int64)
    stop = np.full(len(at), len(content), np.int64)
    found = tls.server_names(data, at, stop)
    assert (found.stop <= stop).all()
    assert (found.start <= found.stop).all()
    start, end = http.Hosts().find(data, at, stop)
    assert (end <= np.maximum(stop, start)).all()
    said = dns.answers(data, at, stop)
    assert (said.stop <= stop).all()
    assert ((said.of >= 0) & (said.of < len(at))).all()
    names = Names(5, {"com": 1})
    for begin in range(0, len(at), 200):
        part = slice(begin, begin + 200)
        names.categories(data, said.start[part], said.stop[part])
    parameters.read(memoryview(content))


def test_a_batch_of_nothing_but_beginnings_takes_bounded_time(tmp_path: Path) -> None:
    """Each loop's worst: extensions, labels, records, headers and options without end."""
    worst = [
        forged.segment(forged.record(forged.hello("x")[:76] + b"\xff\xff" + b"\x0a\x0a\0\0" * 300)),
        forged.segment(b"GET / HTTP/1.1\r\n" + b"\nhost\n" * 200, to=80),
        forged.answer("a." * 30 + "b", [bytes(4)] * 60),
        forged.datagram(b"\xc0\0\0\0\1" + bytes(1250)),
        forged.datagram(dhcp("x" * 60) + b"\x01\0" * 400, port=68, to=67),
    ]
    fresh = Categories(SECRETS, TABLES)
    decoded = Decoder().decode(batch(worst * 8000))
    started = time.process_time()
    for packets in decoded.packets:
        fresh.glance(packets)
        systems(packets, TABLES.fingerprints)
    assert time.process_time() - started < 4  # 0.6 s on a quiet machine for 40,000 packets
