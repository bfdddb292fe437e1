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

_LANE_BYTES = 12_288
_FEWEST_LANES = 8
_SEARCH_BYTES = (96, 256, 768, 2304)
_SAME_MOMENT_S = 3600


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
    buffer = memoryview(data)
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


def _headers(data: NDArray[np.uint8], at: NDArray[np.int64], order: str) -> NDArray[np.uint32]:
    """(k, 4) seconds, fraction, captured, length at each position."""
    sliding = np.ndarray((len(data) - 15,), dtype="V16", buffer=data, strides=(1,))
    return sliding[at].view(order + "u4").reshape(-1, 4)


def _plausible(headers: NDArray[np.uint32], about_s: int) -> NDArray[np.bool_]:
    seconds, fraction, captured, length = headers.T
    return (
        (np.abs(seconds.astype(np.int64) - about_s) < _SAME_MOMENT_S)
        & (fraction < 1_000_000_000)
        & (captured <= length)
        & (length <= LONGEST_RECORD_BYTES)
        & (captured > 0)
    )


def _lane_starts(
    data: NDArray[np.uint8], start: int, end: int, lanes: int, order: str
) -> NDArray[np.int64]:
    """Positions, one for most lanes, that look like a record header followed by another one."""
    about_s = int(_headers(data, np.array([start]), order)[0, 0])
    wanted = start + np.arange(1, lanes, dtype=np.int64) * ((end - start) // lanes)
    starts = [np.array([start], np.int64)]
    begun = 0
    for search in _SEARCH_BYTES:
        candidates = wanted[:, None] + np.arange(begun, search)
        candidates = candidates[candidates[:, -1] + HEADER_BYTES <= end]
        if not len(candidates):
            break
        wanted = wanted[: len(candidates)]
        flat = candidates.reshape(-1)
        looks = np.flatnonzero(_plausible(_headers(data, flat, order), about_s))
        captured = _headers(data, flat[looks], order)[:, 2].astype(np.int64)
        follower = flat[looks] + HEADER_BYTES + captured
        inside = follower + HEADER_BYTES <= end
        looks, follower = looks[inside], follower[inside]
        looks = looks[_plausible(_headers(data, follower, order), about_s)]
        lane, first = np.unique(looks // candidates.shape[1], return_index=True)
        starts.append(flat[looks[first]])
        wanted = np.delete(wanted, lane)
        begun = search
        if not len(wanted):
            break
    return np.sort(np.concatenate(starts))


def _walk_lanes(data: NDArray[np.uint8], start: int, end: int, lanes: int, order: str) -> Walk | None:
    """Walk all lanes in step; None where a lane does not land on the next one's start."""
    starts = _lane_starts(data, start, end, lanes, order)
    targets = np.append(starts[1:], end)
    lengths = np.ndarray((len(data) - 3,), dtype="V4", buffer=data, strides=(1,))
    landed = np.empty(len(starts), np.int64)
    steps: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    lane = np.arange(len(starts))
    here, target = starts.copy(), targets
    last_header = end - HEADER_BYTES
    while len(here):
        readable = here <= last_header
        captured = lengths[np.minimum(here, last_header) + 8].view(order + "u4")
        after = here + HEADER_BYTES + captured
        onwards = readable & (here < target) & (after <= end)
        if not onwards.all():
            landed[lane[~onwards]] = here[~onwards]
            lane, here, target, after = lane[onwards], here[onwards], target[onwards], after[onwards]
        steps.append((lane, here))
        here = after
    if not np.array_equal(landed[:-1], starts[1:]):
        return None
    return Walk(_in_order(steps, len(starts)), *_end_of(data, int(landed[-1]), end, order))


def _in_order(steps: list[tuple[NDArray[np.int64], NDArray[np.int64]]], lanes: int) -> NDArray[np.int64]:
    """Offsets of all lanes, lane after lane."""
    grid = np.full((lanes, len(steps)), -1, np.int64)
    for step, (lane, here) in enumerate(steps):
        grid[lane, step] = here
    return grid[grid >= 0]


def _end_of(data: NDArray[np.uint8], here: int, end: int, order: str) -> tuple[int, bool]:
    if here + HEADER_BYTES > end:
        return here, False
    captured = int(_headers(data, np.array([here]), order)[0, 2])
    return here, captured > LONGEST_RECORD_BYTES
