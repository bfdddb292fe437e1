"""DNS answers (RFC 1035 section 4.1): where the name asked for lies, and which addresses are its.

Aliases between the name and its addresses do not matter: whoever asked for the first name will talk to
those addresses. Many messages are walked at once, every loop is bounded, nothing raises.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4

Bytes = NDArray[np.uint8]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]

HEADER_BYTES = 12
MOST_LABELS = 40
MOST_RECORDS = 24
"""Of the answer section; what comes behind them is not looked at."""

_A, _AAAA, _INTERNET = 1, 28, 1
_POINTER = 0xC0
_GOOD_MASK, _GOOD = np.uint64(0xFFFF_0FF8_0000), np.uint64(0x0100_0080_0000)


@dataclass(frozen=True)
class Answers:
    """Names asked for in k messages, as they lie on the wire with a length before each label, and addresses.

    `start` is the first label's first letter, `stop` the zero behind the last label; equal: no name.
    `dots` says which message, and where in the buffer, a length stands. `of` is the message of each address,
    `hi` and `lo` its halves.
    """

    start: Int64
    stop: Int64
    dots: tuple[Int64, Int64]
    of: Int64
    hi: UInt64
    lo: UInt64


def starts_answer(data: Bytes, at: Int64) -> NDArray[np.bool_]:
    """(k,) where a good answer (QR, opcode 0, no error) to one question may begin; positions need no care."""
    at = np.clip(at, 0, len(data) - 8)
    word = _window(data, at, 8).view("<u8").reshape(-1)
    return np.asarray((word & _GOOD_MASK) == _GOOD)


def answers(data: Bytes, at: Int64, stop: Int64) -> Answers:
    """Read what `starts_answer` said, up to `stop`; what is malformed has neither name nor address."""
    rows = np.flatnonzero(at + HEADER_BYTES < stop)
    records = _window(data, at[rows] + 6, 2).view(">u2").reshape(-1).astype(np.int64)
    question = at[rows] + HEADER_BYTES
    lengths: list[tuple[Int64, Int64]] = []
    behind = _behind_name(data, question, stop[rows], lengths)
    dots = _together(lengths)
    dots = rows[dots[0]], dots[1]
    start, ends = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
    whole = (behind >= 0) & (behind + 4 <= stop[rows])
    rows, records, question, behind = rows[whole], records[whole], question[whole], behind[whole]
    named = data[behind - 1] == 0  # a question that ends in a pointer would point at the header
    start[rows[named]], ends[rows[named]] = question[named] + 1, behind[named] - 1
    found = _addresses(data, rows, behind + 4, stop[rows], records)
    return Answers(start, np.maximum(ends, start), dots, *found)


def _addresses(
    data: Bytes, rows: Int64, at: Int64, stop: Int64, records: Int64
) -> tuple[Int64, UInt64, UInt64]:
    """The A and AAAA records of the answer sections at `at`, message after message."""
    of: list[Int64] = []
    place: list[Int64] = []
    size_of: list[Int64] = []
    for number in range(MOST_RECORDS):
        behind = _behind_name(data, at, stop)
        whole = np.flatnonzero((records > number) & (behind >= 0) & (behind + 10 <= stop))
        if not len(whole):
            break
        rows, at, stop, records = rows[whole], behind[whole] + 10, stop[whole], records[whole]
        fixed = _window(data, at - 10, 10).view(">u2").reshape(-1, 5).astype(np.int64)
        kind, size = fixed[:, 0], fixed[:, 4]
        address = ((kind == _A) & (size == 4)) | ((kind == _AAAA) & (size == 16))
        address &= (fixed[:, 1] == _INTERNET) & (at + size <= stop)
        of.append(rows[address])
        place.append(at[address])
        size_of.append(size[address])
        at = at + size
    if not of:
        return np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint64)
    order = np.argsort(np.concatenate(of), kind="stable")  # so that the last name that has an address counts
    six = np.concatenate(size_of)[order] == 16
    words = _window(data, np.concatenate(place)[order], 16).view(">u8").reshape(-1, 2).astype(np.uint64)
    hi, lo = words[:, 0], words[:, 1]
    lo = np.where(six, lo, hi >> np.uint64(32) | np.uint64(MAPPED_V4))
    return np.concatenate(of)[order], np.where(six, hi, np.uint64(0)), lo


def _behind_name(
    data: Bytes, at: Int64, stop: Int64, lengths: list[tuple[Int64, Int64]] | None = None
) -> Int64:
    """(k,) the position behind each name at `at`, -1 where it is malformed, cut or of too many labels.

    The positions of the labels' lengths are put into `lengths`.
    """
    behind = np.full(len(at), -1, np.int64)
    walking, here = np.arange(len(at)), at.copy()
    for _ in range(MOST_LABELS):
        inside = here < stop[walking]
        walking, here = walking[inside], here[inside]
        if not len(walking):
            break
        size = data[here].astype(np.int64)
        behind[walking[size == 0]] = here[size == 0] + 1
        pointer = (size >= _POINTER) & (here + 2 <= stop[walking])
        behind[walking[pointer]] = here[pointer] + 2
        label = (size > 0) & (size < 0x40)
        walking, here, size = walking[label], here[label], size[label]
        if lengths is not None:
            lengths.append((walking, here))
        here = here + 1 + size
    return behind


def _together(lengths: list[tuple[Int64, Int64]]) -> tuple[Int64, Int64]:
    which, here = (
        zip(*lengths, strict=True) if lengths else ((np.empty(0, np.int64),), (np.empty(0, np.int64),))
    )
    return np.concatenate(which), np.concatenate(here)


def _window(data: Bytes, at: Int64, width: int) -> Bytes:
    """(k, width) bytes from each position."""
    sliding = np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))
    return sliding[at].view(np.uint8).reshape(-1, width)
