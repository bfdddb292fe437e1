"""Where each record of a classic capture begins, found for a whole chunk at once.

Records are a linked list: each says how long it is. Following it one by one costs 190 ns a record in
Python, so many lanes are walked side by side: a lane starts at a position that looks like a record
header, and is believed only if the lane before it lands exactly there. Where one does not, the chunk
is walked record by record.
"""

from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 16
LONGEST_RECORD_BYTES = 262_144
"""MAXIMUM_SNAPLEN of libpcap: a longer record is damage, not data."""

_LANE_BYTES = 24_576
_FEWEST_LANES = 8
_SEARCH_BYTES = (96, 256, 768, 2304)
_SAME_MOMENT_S = 3600
_STEPS = 8
_HEADER = np.int64(HEADER_BYTES)
_MOST_STEPS = 4096
"""A lane of empty records would be endless: ten times the steps of a lane of small packets are enough."""


@dataclass(frozen=True)
class Walk:
    """Offsets of whole records, where the next one begins, and whether damage was met there."""

    offsets: NDArray[np.int64]
    next: int
    damaged: bool


def walk(data: NDArray[np.uint8], start: int, end: int, big_endian: bool) -> Walk:
    """Find the records that lie whole in data[start:end]; `data` is readable 128 bytes beyond `end`."""
    lanes = (end - start) // _LANE_BYTES
    if lanes >= _FEWEST_LANES:
        found = _walk_lanes(data, start, end, lanes, ">" if big_endian else "<")
        if found is not None:
            return found
    return _walk_one_by_one(data, start, end, big_endian)


def _walk_one_by_one(data: NDArray[np.uint8], start: int, end: int, big_endian: bool) -> Walk:
    length_at = Struct(">I" if big_endian else "<I").unpack_from
    buffer = data.data
    offsets: list[int] = []
    here = start
    while here + HEADER_BYTES <= end:
        (captured,) = length_at(buffer, here + 8)
        if captured > LONGEST_RECORD_BYTES:
            return Walk(np.array(offsets, np.int64), here, True)
        after = here + HEADER_BYTES + captured
        if after > end:
            break
        offsets.append(here)
        here = after
    return Walk(np.array(offsets, np.int64), here, False)


def _words(data: NDArray[np.uint8], shift: int) -> NDArray[np.void]:
    """A 32-bit word at every byte position of the buffer, `shift` bytes on."""
    return np.ndarray((len(data) - shift - 3,), dtype="V4", buffer=data, offset=shift, strides=(1,))


def _headers(data: NDArray[np.uint8], at: NDArray[np.int64], order: str) -> NDArray[np.uint32]:
    """(k, 4) seconds, fraction, captured, length at each position."""
    sliding = np.ndarray((len(data) - 15,), dtype="V16", buffer=data, strides=(1,))
    return sliding[at].view(order + "u4").reshape(-1, 4)


def _plausible(headers: NDArray[np.uint32], about_s: int) -> NDArray[np.bool_]:
    seconds, fraction, captured, length = headers.T
    good = (np.abs(seconds.astype(np.int64) - about_s) < _SAME_MOMENT_S) & (fraction < 1_000_000_000)
    good &= (captured <= length) & (length <= LONGEST_RECORD_BYTES) & (captured > 0)
    return np.asarray(good)


def _lane_starts(data: NDArray[np.uint8], start: int, end: int, lanes: int, order: str) -> NDArray[np.int64]:
    """Positions, one for most lanes, that look like a record header followed by another one."""
    about_s = int(_headers(data, np.array([start]), order)[0, 0])
    seconds = _words(data, 0)
    wanted = start + np.arange(1, lanes, dtype=np.int64) * ((end - start) // lanes)
    starts = [np.array([start], np.int64)]
    begun = 0
    for search in _SEARCH_BYTES:
        wanted = wanted[wanted + search + HEADER_BYTES <= end]
        if not len(wanted):
            break
        candidates = (wanted[:, None] + np.arange(begun, search)).reshape(-1)
        # Nearly all candidates fall by their seconds alone, so the rest of the header is read for few.
        away = seconds[candidates].view(order + "u4") - np.uint32(max(about_s - _SAME_MOMENT_S, 0))
        looks = np.flatnonzero(away < 2 * _SAME_MOMENT_S)
        header = _headers(data, candidates[looks], order)
        follower = candidates[looks] + HEADER_BYTES + header[:, 2].astype(np.int64)
        good = _plausible(header, about_s) & (follower + HEADER_BYTES <= end)
        looks, follower = looks[good], follower[good]
        looks = looks[_plausible(_headers(data, follower, order), about_s)]
        lane, first = np.unique(looks // (search - begun), return_index=True)
        starts.append(candidates[looks[first]])
        wanted = np.delete(wanted, lane)
        begun = search
    return np.sort(np.concatenate(starts))


def _walk_lanes(data: NDArray[np.uint8], start: int, end: int, lanes: int, order: str) -> Walk | None:
    """Walk all lanes in step; None where a lane does not land on the next one's start.

    A lane that has reached the next one's territory walks on in it until all have: checking every lane at
    every step costs more than the few steps made twice.
    """
    starts = _lane_starts(data, start, end, lanes, order)
    if len(starts) < lanes // 2:
        return None  # hardly anything looks like a header: a few long lanes would be slower than none
    targets = np.append(starts[1:], end)
    if (targets - starts).max() > LONGEST_RECORD_BYTES:
        return None  # so long a lane may hold a record that is too long
    captured, number = _words(data, 8), np.dtype(order + "u4")
    beyond = np.int64(end + 1)
    here, steps = starts, [starts]
    while True:
        for _ in range(_STEPS):
            after = captured[here].view(number).astype(np.int64)
            after += here
            after += _HEADER
            here = np.minimum(after, beyond, out=after)
            steps.append(here)
        if (here >= targets).all():
            break
        if len(steps) > _MOST_STEPS:
            return None
    grid = np.ascontiguousarray(np.array(steps).T)
    whole = grid[:, :-1] < targets[:, None]
    whole[-1] &= grid[-1, 1:] <= end
    counts = whole.sum(axis=1)
    landed = grid[np.arange(len(starts)), counts]
    if not np.array_equal(landed[:-1], starts[1:]):
        return None
    return Walk(grid[:, :-1][whole], *_end_of(data, int(landed[-1]), end, order))


def _end_of(data: NDArray[np.uint8], here: int, end: int, order: str) -> tuple[int, bool]:
    if here + HEADER_BYTES > end:
        return here, False
    captured = int(_headers(data, np.array([here]), order)[0, 2])
    return here, captured > LONGEST_RECORD_BYTES
