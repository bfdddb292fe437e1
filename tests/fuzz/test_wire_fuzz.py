"""Arbitrary bytes and damaged real frames through `wire`: decoded or refused, in bounded time."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz.invariants import check_frames, check_message

ROOT = Path(__file__).parent.parent.parent
BOUNDED = settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
EDITS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6)
TYPES = (
    b"\x08\x00",
    b"\x08\x06",
    b"\x86\xdd",
    b"\x81\x00\x00\x07\x08\x00",
    b"\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd",
)


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """A real frame with a few bytes overwritten, perhaps tagged once more, perhaps cut."""
    frame = bytearray(draw(st.sampled_from(seeds.frames())))
    for at, value in draw(EDITS):
        if at < len(frame):
            frame[at] = value
    if draw(st.booleans()):
        frame[12:12] = draw(st.sampled_from([b"\x81\x00\x00\x2a", b"\x88\xa8\x0f\xff", b"\x91\x00\x00\x00"]))
    return bytes(frame[: draw(st.integers(0, len(frame)))] if draw(st.booleans()) else frame)


@st.composite
def likely_frames(draw: st.DrawFn) -> bytes:
    """Two MACs, a type that is known, and noise."""
    return (
        draw(st.binary(min_size=12, max_size=12))
        + draw(st.sampled_from(TYPES))
        + draw(st.binary(max_size=120))
    )


@BOUNDED
@given(
    st.lists(st.one_of(st.binary(max_size=200), likely_frames(), damaged_frames()), max_size=6, unique=True)
)
def test_any_frames(contents: list[bytes]) -> None:
    check_frames(contents)


@BOUNDED
@given(st.binary(max_size=400))
def test_any_message(message: bytes) -> None:
    check_message(message)


@BOUNDED
@given(st.sampled_from([frame for frame in seeds.frames() if len(frame) > 300]), EDITS, st.integers(0, 600))
def test_damaged_messages(frame: bytes, edits: list[tuple[int, int]], cut: int) -> None:
    message = bytearray(frame[42:])
    for at, value in edits:
        message[at % len(message)] = value
    check_message(bytes(message[:cut]))


def test_a_bounded_run_of_the_coverage_guided_fuzzer(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no wheel for this Python: the coverage-guided run is left out")
    command = [sys.executable, "-m", "tests.fuzz", "-runs=3000", "-seed=1", "-max_total_time=30"]
    there = {**os.environ, "TMPDIR": str(tmp_path)}  # libFuzzer ends without tidying up
    done = subprocess.run(command, cwd=ROOT, env=there, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr
