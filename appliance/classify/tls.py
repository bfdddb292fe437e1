"""Where the server's name lies in TLS ClientHellos (RFC 8446 section 4.1.2, RFC 6066 section 3).

Only lengths and types are read: the name itself stays where it is. Every position is checked against the
end of its own packet, every loop is bounded, nothing raises.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Int64 = NDArray[np.int64]

RECORD_BYTES = 5
MOST_EXTENSIONS = 48
"""Browsers send fewer than twenty."""

_SESSION_AT = 4 + 2 + 32  # handshake header, version, random
_SERVER_NAME = 0


@dataclass(frozen=True)
class Found:
    """Where each name lies, start == stop where there is none; `cut` where the bytes ended before it came."""

    start: Int64
    stop: Int64
    cut: NDArray[np.bool_]


def starts_hello(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(k,) of the first eight bytes read little-endian: a handshake record that begins with a ClientHello."""
    return np.asarray((words & np.uint64(0xFF00_0000_FFFF)) == np.uint64(0x0100_0000_0316))


def server_names(data: Bytes, hello: Int64, stop: Int64) -> Found:
    """Names in the ClientHellos at `hello` (at the handshake header), whose bytes end at `stop`."""
    size = np.zeros(len(hello), np.int64)
    at = hello + _SESSION_AT
    alive = np.ones(len(hello), np.bool_)
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        alive &= at + width <= stop
        size = _number(data, np.where(alive, at, 0), width)
        at = at + width + size
    alive &= at + 2 <= stop
    declared = at + 2 + _number(data, np.where(alive, at, 0), 2)
    found = Found(np.zeros(len(hello), np.int64), np.zeros(len(hello), np.int64), ~alive)
    walking = np.flatnonzero(alive)
    at, ends = at + 2, np.minimum(declared, stop)
    for _ in range(MOST_EXTENSIONS):
        whole = at[walking] + 4 <= ends[walking]
        found.cut[walking[~whole]] = declared[walking[~whole]] > stop[walking[~whole]]
        walking = walking[whole]
        if not len(walking):
            break
        here = at[walking]
        is_name = (data[here] | data[here + 1]) == _SERVER_NAME
        if is_name.any():
            _take_names(data, walking[is_name], at, stop, found)
            walking, here = walking[~is_name], here[~is_name]
        at[walking] = here + 4 + _number(data, here + 2, 2)
    return found


def _take_names(data: Bytes, rows: Int64, at: Int64, stop: Int64, found: Found) -> None:
    """Note where the name lies in the server_name extensions at `at[rows]`."""
    here = at[rows]
    whole = here + 9 <= stop[rows]
    found.cut[rows[~whole]] = True
    rows, here = rows[whole], here[whole]
    length = _number(data, here + 7, 2)
    fits = (data[here + 6] == 0) & (length + 5 <= _number(data, here + 2, 2))
    inside = here + 9 + length <= stop[rows]
    found.cut[rows[fits & ~inside]] = True
    good = fits & inside
    found.start[rows[good]] = here[good] + 9
    found.stop[rows[good]] = (here + 9 + length)[good]


def _number(data: Bytes, at: Int64, width: int) -> Int64:
    """(k,) numbers of one or two bytes."""
    if width == 1:
        return data[at].astype(np.int64)
    return data[at].astype(np.int64) << 8 | data[at + 1]
