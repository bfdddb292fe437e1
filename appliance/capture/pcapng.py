"""pcapng blocks to frames (IETF draft-ietf-opsawg-pcapng): sections, interfaces, all three packet kinds.

The blocks are followed one by one, but what the packets among them say is read for a whole chunk at once.
Frames of one link type make one batch, whatever the interface: mergecap gives each input an interface of
its own, and they alternate packet by packet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from appliance.capture.ticks import LAST_S, instants, ticks_per_s
from appliance.capture.walk import LONGEST_RECORD_BYTES
from appliance.model.frames import Frames

MAGIC = b"\x0a\x0d\x0d\x0a"

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_FEWEST_BYTES = {_SECTION: 28, _INTERFACE: 20, _OLD_PACKET: 32, _SIMPLE_PACKET: 16}
_PACKET_FIELDS = ("kind", "size", "interface", "high", "low", "captured", "length")
_BYTE_ORDER = 0x1A2B3C4D
_LONGEST_BLOCK_BYTES = 2 * LONGEST_RECORD_BYTES
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class _Interface:
    link_type: int
    snaplen: int
    ticks_per_s: int
    offset_s: int


@dataclass(frozen=True)
class _Packets:
    """k packets: bytes of theirs lie at `at`; `ticks` since the epoch of their interface."""

    interface: I64
    at: I64
    captured: I64
    length: I64
    ticks: NDArray[np.uint64]

    @classmethod
    def one(cls, interface: int, at: int, captured: int, length: int, ticks: int) -> "_Packets":
        numbers = np.array([[interface], [at], [captured], [length]], np.int64)
        return cls(numbers[0], numbers[1], numbers[2], numbers[3], np.array([ticks], np.uint64))

    def until(self, count: int) -> "_Packets":
        return _Packets(
            self.interface[:count],
            self.at[:count],
            self.captured[:count],
            self.length[:count],
            self.ticks[:count],
        )


class Blocks:
    """Reads the blocks that lie whole in a chunk and keeps the sections' interfaces between chunks."""

    def __init__(self) -> None:
        self.damaged = False
        self._interfaces: list[_Interface] = []
        self._order = "<"
        self._read: list[tuple[NDArray[np.int64], ...]] = []  # link type, at, captured, length, time

    def read(self, data: NDArray[np.uint8], start: int, end: int) -> int:
        """Take in whole blocks of data[start:end]; returns where the next block begins."""
        here = start
        while not self.damaged:
            found, here = self._follow(data.data, here, end)
            here = self._take_packets(data, found, here)
            size = self._size_here(data.data, here, end)
            if not size:
                break
            (kind,) = Struct(self._order + "I").unpack_from(data.data, here)
            self.damaged = size < _FEWEST_BYTES[kind] or not self._take(kind, data.data, here, size)
            here += 0 if self.damaged else size
        return here

    def frames(self, data: NDArray[np.uint8]) -> Iterator[Frames]:
        """The frames read since the last call, in file order, one batch a run of the same link type."""
        read, self._read = self._read, []
        if not read:
            return
        link_type, at, captured, length, time = (np.concatenate(column) for column in zip(*read, strict=True))
        borders = [0, *(np.flatnonzero(np.diff(link_type)) + 1).tolist(), len(link_type)]
        for first, last in pairwise(borders):
            run = slice(first, last)
            yield Frames(data, at[run], captured[run], length[run], time[run], int(link_type[first]))

    def _follow(self, buffer: memoryview, here: int, end: int) -> tuple[I64, int]:
        """Positions of blocks, and of the first one that is of a rare kind, damaged or cut."""
        head_at = Struct(self._order + "II").unpack_from
        found: list[int] = []
        while here + 12 <= end:
            kind, size = head_at(buffer, here)
            if kind in _FEWEST_BYTES or size < 12 or size & 3 or size > _LONGEST_BLOCK_BYTES:
                break
            if here + size > end:
                break
            found.append(here)
            here += size
        return np.array(found, np.int64), here

    def _size_here(self, buffer: memoryview, here: int, end: int) -> int:
        """Size of the block here, 0 where it is damaged or not whole yet; a section header sets the order."""
        if self.damaged or here + 12 > end:
            return 0
        if bytes(buffer[here : here + 4]) == MAGIC and not self._begin_section(buffer, here):
            self.damaged = True
            return 0
        (size,) = Struct(self._order + "I").unpack_from(buffer, here + 4)
        if size < 12 or size & 3 or size > _LONGEST_BLOCK_BYTES:
            self.damaged = True
            return 0
        if here + size > end:
            return 0
        self.damaged = Struct(self._order + "I").unpack_from(buffer, here + size - 4)[0] != size
        return 0 if self.damaged else int(size)

    def _begin_section(self, buffer: memoryview, here: int) -> bool:
        for order in "<>":
            if Struct(order + "I").unpack_from(buffer, here + 8)[0] == _BYTE_ORDER:
                self._order = order
                self._interfaces = []
                return True
        return False

    def _take(self, kind: int, buffer: memoryview, here: int, size: int) -> bool:
        """Read one whole block of a rare kind; false where it contradicts itself."""
        body, end = here + 8, here + size - 4
        if kind == _INTERFACE:
            self._interfaces.append(self._interface(buffer, body, end))
        elif kind == _OLD_PACKET:
            number, _, high, low, captured, length = Struct(self._order + "HHIIII").unpack_from(buffer, body)
            if number >= len(self._interfaces) or body + 20 + captured > end:
                return False
            self._keep(_Packets.one(number, body + 20, captured, length, high << 32 | low))
        elif kind == _SIMPLE_PACKET:
            if not self._interfaces:
                return False
            (length,) = Struct(self._order + "I").unpack_from(buffer, body)
            captured = min(length, self._interfaces[0].snaplen or length, end - body - 4)
            self._keep(_Packets.one(0, body + 4, captured, length, 0))
        return True

    def _take_packets(self, data: NDArray[np.uint8], found: I64, after: int) -> int:
        """Keep the packets of these blocks; returns `after`, or the position of the first damaged one."""
        if not len(found):
            return after
        ends = np.append(found[1:], after)
        good = _words(data, ends - 4, 1, self._order)[:, 0] == ends - found
        head = _words(data, found, len(_PACKET_FIELDS), self._order)
        rows = np.flatnonzero((head[:, 0] == _PACKET) & (head[:, 1] >= 32))
        interface, high, low, captured, length = np.ascontiguousarray(head[rows, 2:].T)
        packets = _Packets(
            interface.astype(np.int64),
            found[rows] + 28,
            captured.astype(np.int64),
            length.astype(np.int64),
            high.astype(np.uint64) << np.uint64(32) | low,
        )
        good[rows] &= (interface < len(self._interfaces)) & (packets.at + packets.captured <= ends[rows] - 4)
        if good.all():
            self._keep(packets)
            return after
        self.damaged = True
        first = int(np.argmin(good))
        self._keep(packets.until(int(np.searchsorted(rows, first))))
        return int(found[first])

    def _keep(self, packets: _Packets) -> None:
        if not len(packets.at):
            return
        link_types = np.array([interface.link_type for interface in self._interfaces], np.int64)
        rates = np.array([interface.ticks_per_s for interface in self._interfaces], np.uint64)
        offsets = np.array([interface.offset_s for interface in self._interfaces], np.int64)
        of = packets.interface
        time = instants(packets.ticks, rates[of], offsets[of])
        self._read.append((link_types[of], packets.at, packets.captured, packets.length, time))

    def _interface(self, buffer: memoryview, body: int, end: int) -> _Interface:
        link_type, _, snaplen = Struct(self._order + "HHI").unpack_from(buffer, body)
        rate, offset_s = 1_000_000, 0
        option = body + 8
        while option + 4 <= end:
            code, size = Struct(self._order + "HH").unpack_from(buffer, option)
            value = bytes(buffer[option + 4 : min(option + 4 + size, end)])
            if code == 0:
                break
            if code == _OPTION_RESOLUTION and len(value) == 1:
                rate = ticks_per_s(value[0])
            elif code == _OPTION_OFFSET and len(value) == 8:
                (offset_s,) = Struct(self._order + "q").unpack(value)
            option += 4 + (size + 3 & ~3)
        return _Interface(link_type, snaplen, rate, min(max(offset_s, -LAST_S), LAST_S))


def _words(data: NDArray[np.uint8], at: I64, count: int, order: str) -> NDArray[np.uint32]:
    """(k, count) 32-bit words at each position."""
    size = 4 * count
    sliding = np.ndarray((len(data) - size + 1,), dtype=f"V{size}", buffer=data, strides=(1,))
    return sliding[at].view(order + "u4").reshape(-1, count)
