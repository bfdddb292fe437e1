"""Where the host lies in HTTP/1 requests (RFC 9112 section 3.2), many at once.

A request's head holds addresses of pages and more: it is copied into one scratch, searched for the one line
and overwritten with zeros before the call returns.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.classify.names import LONGEST_NAME

Bytes = NDArray[np.uint8]
Int64 = NDArray[np.int64]

HEAD_BYTES = 1024
"""How far the host is looked for; clients write it at once behind the first line."""

_ROWS = 128
_METHODS = np.array(
    [
        int.from_bytes(method, "little")
        for method in (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"PATC", b"DELE", b"PROP")
    ],
    np.uint64,
)
_LETTERS_MASK, _LETTERS = np.uint64(0xE0_E0E0), np.uint64(0x40_4040)
"""Three capitals, so that hardly anything else is compared with the methods."""

_HOST = b"\nhost:"
_LINE_FEED, _TAB, _CASE = 0x0A, 0x09, np.uint8(0x20)
_BLANKS = 8
_BLANK, _COLON = 0x20, ord(":")


def starts_request(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(k,) of the first eight bytes read little-endian: they are a request's method."""
    found = (words & _LETTERS_MASK) == _LETTERS
    rows = np.flatnonzero(found)
    if len(rows):
        found[rows] = np.isin(words[rows] & np.uint64(0xFFFF_FFFF), _METHODS)
    return np.asarray(found)


class Hosts:
    """Finds hosts; holds the scratch."""

    def __init__(self) -> None:
        self._head = np.zeros(_ROWS * HEAD_BYTES, np.uint8)
        self._value = np.zeros(_ROWS * (_BLANKS + LONGEST_NAME + 1), np.uint8)

    def find(self, data: Bytes, at: Int64, stop: Int64) -> tuple[Int64, Int64]:
        """(start, stop) of the host's name in the requests at `at`; equal where there is none."""
        parts = [
            self._some(data, at[first : first + _ROWS], stop[first : first + _ROWS])
            for first in range(0, len(at), _ROWS)
        ]
        nothing = np.empty(0, np.int64)
        starts, stops = zip(*parts, strict=True) if parts else ((nothing,), (nothing,))
        return np.concatenate(starts), np.concatenate(stops)

    def _some(self, data: Bytes, at: Int64, stop: Int64) -> tuple[Int64, Int64]:
        width = int(min(HEAD_BYTES, (stop - at).max(initial=0)))
        head = self._head[: len(at) * width].reshape(len(at), width)
        start, ends = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
        try:
            np.take(data, at[:, None] + np.arange(width), out=head, mode="clip")
            rows, column = _lines(head, stop - at)
            start[rows] = at[rows] + column
        finally:
            head.fill(0)
        rows = np.flatnonzero(start)
        start[rows], ends[rows] = self._values(data, start[rows], stop[rows])
        return start, ends

    def _values(self, data: Bytes, at: Int64, stop: Int64) -> tuple[Int64, Int64]:
        """Without the blanks before and the port behind."""
        width = _BLANKS + LONGEST_NAME + 1
        value = self._value[: len(at) * width].reshape(len(at), width)
        column = np.arange(width)
        try:
            np.take(data, at[:, None] + column, out=value, mode="clip")
            blank = (value == _BLANK) | (value == _TAB)
            skipped = np.minimum((~blank).argmax(axis=1), _BLANKS)
            ending = (value <= _BLANK) | (value == _COLON)
        finally:
            value.fill(0)
        ending &= column >= skipped[:, None]
        ending |= column >= (stop - at)[:, None]
        ends = np.where(ending.any(axis=1), ending.argmax(axis=1), skipped)
        whole = at + ends < stop  # a name that the packet's end cuts is none
        return at + skipped, at + np.where(whole, ends, skipped)


def _lines(head: Bytes, length: Int64) -> tuple[Int64, Int64]:
    """Which request, and where in it, the value of its first "Host:" line begins."""
    found = head[:, : -len(_HOST)] == _LINE_FEED
    found &= np.arange(found.shape[1]) + len(_HOST) < length[:, None]
    rows, column = np.nonzero(found)
    for step, letter in enumerate(_HOST[1:], 1):
        # Only ":" would be another sign with the case bit set, and it has it set already.
        same = (head[rows, column + step] | _CASE) == letter
        rows, column = rows[same], column[same]
    rows, first = np.unique(rows, return_index=True)
    return rows, column[first] + len(_HOST)
