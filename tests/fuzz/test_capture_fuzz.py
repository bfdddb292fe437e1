"""Damaged capture files: what is whole is read, the rest is counted, no byte is read that is not there."""

import contextlib
import gzip
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.capture.files import CaptureFile
from appliance.model.errors import CaptureError
from appliance.wire.decode import Decoder
from tests.fuzz import seeds

BOUNDED = settings(
    max_examples=150,
    deadline=3000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MAGICS = [
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
]
LONGEST_FRAME = 1 << 18
"""No writer makes longer ones (MAXIMUM_SNAPLEN of libpcap)."""


def read(path: Path) -> tuple[list[bytes], bool]:
    """The frames of a capture as bytes, and whether the file was damaged; every batch is decoded as well."""
    frames: list[bytes] = []
    decoder = Decoder()
    with CaptureFile(path) as capture:
        for batch in capture:
            assert len(batch)
            assert (batch.captured >= 0).all()
            assert (batch.offsets >= 0).all()
            assert (batch.offsets + batch.captured + 128 <= len(batch.data)).all()
            whole = batch.data.tobytes()
            for at, size in zip(batch.offsets.tolist(), batch.captured.tolist(), strict=True):
                assert size <= LONGEST_FRAME
                frames.append(whole[at : at + size])
            decoder.decode(batch)
        return frames, bool(capture.damaged)


@cache
def whole(path: Path) -> list[bytes]:
    return read(path)[0]


@BOUNDED
@given(path=st.sampled_from(seeds.captures()), data=st.data())
def test_a_capture_cut_anywhere_gives_the_frames_before_the_cut(
    path: Path, data: st.DataObject, tmp_path: Path
) -> None:
    content = path.read_bytes()
    size = data.draw(st.integers(0, len(content)))
    cut = tmp_path / "cut"
    cut.write_bytes(content[:size])
    try:
        frames, damaged = read(cut)
    except CaptureError:
        assert size < 28
        return
    assert frames == whole(path)[: len(frames)]
    assert damaged or len(frames) == len(whole(path)) or _on_a_border(content, size)


@BOUNDED
@given(path=st.sampled_from(seeds.captures()), data=st.data())
def test_a_compressed_capture_cut_anywhere_gives_what_came_before(
    path: Path, data: st.DataObject, tmp_path: Path
) -> None:
    content = gzip.compress(path.read_bytes())
    cut = tmp_path / "cut.gz"
    cut.write_bytes(content[: data.draw(st.integers(2, len(content) - 1))])
    with contextlib.suppress(CaptureError):
        frames, damaged = read(cut)
        assert frames == whole(path)[: len(frames)]
        assert damaged


def _on_a_border(content: bytes, size: int) -> bool:
    """True where a cut leaves a whole file: just after a record or block."""
    if content[:4] == b"\x0a\x0d\x0d\x0a":
        at = 0
        while at < size:
            at += int.from_bytes(content[at + 4 : at + 8], "little")
        return at == size
    order = "little" if content[:1] in b"\xd4\x4d" else "big"
    at = 24
    while at < size:
        at += 16 + int.from_bytes(content[at + 8 : at + 12], order)  # type: ignore[arg-type]
    return at == size


@BOUNDED
@given(
    path=st.sampled_from(seeds.captures()),
    edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=12),
    garbage=st.binary(max_size=64),
    compressed=st.booleans(),
)
def test_a_damaged_capture_never_crashes_and_invents_no_byte(
    path: Path, edits: list[tuple[int, int]], garbage: bytes, compressed: bool, tmp_path: Path
) -> None:
    content = bytearray(path.read_bytes())
    for at, value in edits:
        content[at % len(content)] = value
    content += garbage
    damaged = tmp_path / "damaged"
    damaged.write_bytes(gzip.compress(bytes(content)) if compressed else bytes(content))
    try:
        frames, _ = read(damaged)
    except CaptureError:
        return
    assert sum(map(len, frames)) <= len(content)
    assert all(frame in content for frame in frames)


@BOUNDED
@given(rest=st.binary(max_size=300), magic=st.sampled_from(MAGICS))
def test_garbage_behind_a_known_magic_never_crashes(rest: bytes, magic: bytes, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(magic + rest)
    with contextlib.suppress(CaptureError):
        read(garbage)
