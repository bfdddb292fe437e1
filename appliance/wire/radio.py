"""What monitoring radios put before 802.11 frames: radiotap, PPI, Prism, AVS. Only lengths and flags count.

PPI stands before Ethernet frames too.

Nothing a header says is believed beyond the frame it stands in, and no loop runs longer than a constant.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, Frames
from appliance.model.reasons import Refusal
from appliance.wire.links import Refusals

IEEE802_11, PRISM, RADIOTAP, AVS, PPI = 105, 119, 127, 163, 192
"""LINKTYPE_IEEE802_11, .._PRISM, .._RADIOTAP, .._AVS and LINKTYPE_PPI."""

SWAPPED = 1 << 16 | IEEE802_11
"""802.11 whose two bytes of frame control are exchanged, as Cisco's tunnels carry it: our own number."""

FCS_BYTES = 4
_RADIOTAP_FCS, _RADIOTAP_PADDED, _RADIOTAP_DAMAGED = 0x10, 0x20, 0x40
_PPI_ALIGNED, _PPI_COMMON, _PPI_FCS, _PPI_DAMAGED = 0x01, 2, 0x01, 0x04
_AVS_COOKIE, _AVS_COOKIE_MASK = 0x8021_1000, 0xFFFF_F000
_PRISM_MESSAGES = (0x41, 0x44)

_MOST_PRESENT_WORDS = 16
_MOST_PPI_FIELDS = 8


@dataclass(frozen=True)
class Bare:
    """k frames without what the radio put before them, nor their checksum where one is told of."""

    at: NDArray[np.int64]  # position of the frame in its batch
    start: NDArray[np.int64]  # byte position of the frame's own header
    end: NDArray[np.int64]  # where its captured bytes stop
    wire_end: NDArray[np.int64]  # where it ended on the air
    padded: NDArray[np.bool_]  # the radio padded its header to a multiple of four bytes
    wired: NDArray[np.bool_]  # it is no 802.11 but an Ethernet frame

    def take(self, rows: NDArray[np.int64]) -> "Bare":
        """These of them."""
        return Bare(
            self.at[rows],
            self.start[rows],
            self.end[rows],
            self.wire_end[rows],
            self.padded[rows],
            self.wired[rows],
        )


def sift(
    at: NDArray[np.int64], tally: Refusals, *faults: tuple[NDArray[np.bool_], Refusal]
) -> NDArray[np.int64]:
    """Rows without any of these faults; the others are refused for the first they have."""
    good = np.ones(len(at), np.bool_)
    for wrong, reason in faults:
        rows = np.flatnonzero(wrong & good)
        if len(rows):
            tally.add(reason, at[rows])
            good[rows] = False
    return np.flatnonzero(good)


def bare(frames: Frames, at: NDArray[np.int64], tally: Refusals) -> Bare:
    """The frames at these positions of a batch of one of the link types above."""
    start = frames.offsets[at]
    end = start + frames.captured[at]
    wire_end = np.maximum(start + frames.length[at], end)
    rows = sift(at, tally, (start == end, Refusal.EMPTY))
    no = np.zeros(len(rows), np.bool_)
    whole = Bare(at[rows], start[rows], end[rows], wire_end[rows], no, no)
    if frames.link_type in (IEEE802_11, SWAPPED):
        return whole
    if frames.link_type == RADIOTAP:
        return _radiotap(frames, whole, tally)
    if frames.link_type == PPI:
        return _ppi(frames, whole, tally)
    return _prism_or_avs(frames, whole, tally)


def _behind(
    found: Bare,
    rows: NDArray[np.int64],
    size: NDArray[np.int64],
    with_fcs: NDArray[np.bool_],
    padded: NDArray[np.bool_] | None = None,
    wired: NDArray[np.bool_] | None = None,
) -> Bare:
    """These frames behind `size` bytes of header, which fit; the columns given are those of all frames."""
    start = found.start[rows] + size[rows]
    wire_end = found.wire_end[rows] - np.where(with_fcs[rows], FCS_BYTES, 0)
    end = np.maximum(np.minimum(found.end[rows], wire_end), start)
    return Bare(
        found.at[rows],
        start,
        end,
        np.maximum(wire_end, end),
        found.padded[rows] if padded is None else padded[rows],
        found.wired[rows] if wired is None else wired[rows],
    )


def _radiotap(frames: Frames, found: Bare, tally: Refusals) -> Bare:
    """www.radiotap.org: version, pad, length, then presence words, as long as bit 31 says that one follows.

    Fields are aligned to their own size from the header's start; before the flags (bit 1) only the time
    (bit 0, eight bytes) may lie, and only the first word speaks of these two.
    """
    captured = found.end - found.start
    header = frames.window(found.start, 8)
    octets = header.view(np.uint8).reshape(-1, 8)
    size = header.view("<u2").reshape(-1, 4)[:, 1].astype(np.int64)
    present = header.view("<u4").reshape(-1, 2)[:, 1]
    flags = _radiotap_flags(frames, found.start, np.minimum(size, captured), present)
    rows = sift(
        found.at,
        tally,
        (captured < 8, Refusal.CUT_SHORT),
        (octets[:, 0] != 0, Refusal.BAD_VERSION),
        (size < 8, Refusal.BAD_LENGTH),
        (size > captured, Refusal.CUT_SHORT),
        (flags & _RADIOTAP_DAMAGED != 0, Refusal.WIFI_DAMAGED),
    )
    return _behind(found, rows, size, flags & _RADIOTAP_FCS != 0, flags & _RADIOTAP_PADDED != 0)


def _radiotap_flags(
    frames: Frames, start: NDArray[np.int64], size: NDArray[np.int64], present: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    """(k,) the flags field, 0 where there is none within `size` bytes of header."""
    fields = np.full(len(start), 8, np.int64)  # where they begin
    ended = present >> np.uint32(31) == 0  # a chain without end has no fields
    more = np.flatnonzero(~ended)
    for _ in range(_MOST_PRESENT_WORDS):
        more = more[fields[more] + 4 <= size[more]]
        if not len(more):
            break
        word = frames.window(start[more] + fields[more], 4).view("<u4")
        fields[more] += 4
        ended[more] = word >> np.uint32(31) == 0
        more = more[~ended[more]]
    timed = present & np.uint32(1) != 0
    place = np.where(timed, (fields + 7) // 8 * 8 + 8, fields)
    told = ended & (present & np.uint32(2) != 0) & (place < size)
    return np.where(told, frames.data[np.where(told, start + place, start)], 0).astype(np.uint8)


def _ppi(frames: Frames, found: Bare, tally: Refusals) -> Bare:
    """PPI 1.0.10 (CACE): version, flags, length, link type, then fields of type, length and value."""
    captured = found.end - found.start
    header = frames.window(found.start, 8)
    octets = header.view(np.uint8).reshape(-1, 8)
    size = header.view("<u2").reshape(-1, 4)[:, 1].astype(np.int64)
    inside = header.view("<u4").reshape(-1, 2)[:, 1]
    aligned = octets[:, 1] & _PPI_ALIGNED != 0
    flags = _ppi_flags(frames, found.start, np.minimum(size, captured), aligned)
    rows = sift(
        found.at,
        tally,
        (captured < 8, Refusal.CUT_SHORT),
        (octets[:, 0] != 0, Refusal.BAD_VERSION),
        (size < 8, Refusal.BAD_LENGTH),
        ((inside != IEEE802_11) & (inside != ETHERNET), Refusal.LINK_TYPE),
        (size > captured, Refusal.CUT_SHORT),
        (flags & _PPI_DAMAGED != 0, Refusal.WIFI_DAMAGED),
    )
    return _behind(found, rows, size, flags & _PPI_FCS != 0, wired=inside == ETHERNET)


def _ppi_flags(
    frames: Frames, start: NDArray[np.int64], size: NDArray[np.int64], aligned: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """(k,) the flags of the field 802.11-Common, 0 where there is none within `size` bytes of header."""
    flags = np.zeros(len(start), np.uint16)
    place = np.full(len(start), 8, np.int64)
    walking = np.arange(len(start))
    for _ in range(_MOST_PPI_FIELDS):
        walking = walking[place[walking] + 4 <= size[walking]]
        if not len(walking):
            break
        field = frames.window(start[walking] + place[walking], 14).view("<u2").reshape(-1, 7)
        common = (field[:, 0] == _PPI_COMMON) & (place[walking] + 14 <= size[walking]) & (field[:, 1] >= 10)
        flags[walking[common]] = field[common, 6]
        length = field[:, 1].astype(np.int64)
        place[walking] += 4 + np.where(aligned[walking], (length + 3) // 4 * 4, length)
        walking = walking[~common]
    return flags


def _prism_or_avs(frames: Frames, found: Bare, tally: Refusals) -> Bare:
    """Both begin with a number that says which they are, and with their length; AVS may stand for Prism.

    The length comes second; Prism writes both in the byte order of the machine that captured. Neither tells
    of a checksum.
    """
    captured = found.end - found.start
    header = frames.window(found.start, 8)
    big = header.view(">u4").reshape(-1, 2).astype(np.int64)
    little = header.view("<u4").reshape(-1, 2).astype(np.int64)
    avs = big[:, 0] & _AVS_COOKIE_MASK == _AVS_COOKIE
    prism = np.full(len(big), frames.link_type == PRISM)
    prism_big = prism & ((big[:, 0] == _PRISM_MESSAGES[0]) | (big[:, 0] == _PRISM_MESSAGES[1]))
    prism_little = prism & ((little[:, 0] == _PRISM_MESSAGES[0]) | (little[:, 0] == _PRISM_MESSAGES[1]))
    size = np.where(avs | prism_big, big[:, 1], little[:, 1])
    rows = sift(
        found.at,
        tally,
        (captured < 8, Refusal.CUT_SHORT),
        (~(avs | prism_big | prism_little), Refusal.BAD_VERSION),
        (size < 8, Refusal.BAD_LENGTH),
        (size > captured, Refusal.CUT_SHORT),
    )
    return _behind(found, rows, size, np.zeros(len(size), np.bool_))
