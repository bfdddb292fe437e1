"""pcapng blocks to frames (IETF draft-ietf-opsawg-pcapng): sections, interfaces, all three packet kinds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from appliance.capture.walk import LONGEST_RECORD_BYTES
from appliance.model.frames import Frames
from appliance.model.instants import NS

MAGIC = b"\x0a\x0d\x0d\x0a"

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER = 0x1A2B3C4D
_LONGEST_BLOCK_BYTES = 2 * LONGEST_RECORD_BYTES
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14


@dataclass(frozen=True)
class _Interface:
    link_type: int
    snaplen: int
    ticks_per_s: int
    offset_s: int


@dataclass
class _Batch:
    """Frames of one interface found so far in this chunk."""

    interface: _Interface
    offsets: list[int] = field(default_factory=list)
    captured: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)


class Blocks:
    """Reads the blocks that lie whole in a chunk and keeps the sections' interfaces between chunks."""

    def __init__(self) -> None:
        self.damaged = False
        self._interfaces: list[_Interface] = []
        self._order = "<"
        self._batches: list[_Batch] = []

    def read(self, data: NDArray[np.uint8], start: int, end: int) -> int:
        """Take in whole blocks of data[start:end]; returns where the next block begins."""
        buffer = data.data
        here = start
        while here + 12 <= end:
            if bytes(buffer[here : here + 4]) == MAGIC and not self._begin_section(buffer, here):
                self.damaged = True
                break
            kind, size = Struct(self._order + "II").unpack_from(buffer, here)
            if size < 12 or size % 4 or size > _LONGEST_BLOCK_BYTES:
                self.damaged = True
                break
            if here + size > end:
                break
            if Struct(self._order + "I").unpack_from(buffer, here + size - 4)[0] != size:
                self.damaged = True
                break
            if not self._take(kind, buffer, here, size):
                self.damaged = True
                break
            here += size
        return here

    def frames(self, data: NDArray[np.uint8]) -> Iterator[Frames]:
        """The frames read since the last call, in file order, one batch a run of the same interface."""
        batches, self._batches = self._batches, []
        for batch in batches:
            yield Frames(
                data,
                np.array(batch.offsets, np.int64),
                np.array(batch.captured, np.int64),
                np.array(batch.length, np.int64),
                _instants(batch),
                batch.interface.link_type,
            )

    def _begin_section(self, buffer: memoryview, here: int) -> bool:
        for order in "<>":
            if Struct(order + "I").unpack_from(buffer, here + 8)[0] == _BYTE_ORDER:
                self._order = order
                self._interfaces = []
                return True
        return False

    def _take(self, kind: int, buffer: memoryview, here: int, size: int) -> bool:
        """Read one whole block; false where it contradicts itself. Blocks of other kinds are passed over."""
        body, end = here + 8, here + size - 4
        if kind == _INTERFACE and size >= 20:
            self._interfaces.append(self._interface(buffer, body, end))
        elif kind == _PACKET and size >= 32:
            number, high, low, captured, length = Struct(self._order + "IIIII").unpack_from(buffer, body)
            return self._add(number, high << 32 | low, body + 20, captured, length, end)
        elif kind == _OLD_PACKET and size >= 32:
            number, _, high, low, captured, length = Struct(self._order + "HHIIII").unpack_from(buffer, body)
            return self._add(number, high << 32 | low, body + 20, captured, length, end)
        elif kind == _SIMPLE_PACKET and size >= 16:
            (length,) = Struct(self._order + "I").unpack_from(buffer, body)
            snaplen = self._interfaces[0].snaplen if self._interfaces else 0
            captured = min(length, snaplen or length, end - body - 4)
            return self._add(0, 0, body + 4, captured, length, end)
        return True

    def _add(self, number: int, ticks: int, at: int, captured: int, length: int, end: int) -> bool:
        if number >= len(self._interfaces) or at + captured > end:
            return False
        interface = self._interfaces[number]
        if not self._batches or self._batches[-1].interface is not interface:
            self._batches.append(_Batch(interface))
        batch = self._batches[-1]
        batch.offsets.append(at)
        batch.captured.append(captured)
        batch.length.append(length)
        batch.ticks.append(ticks)
        return True

    def _interface(self, buffer: memoryview, body: int, end: int) -> _Interface:
        link_type, _, snaplen = Struct(self._order + "HHI").unpack_from(buffer, body)
        ticks_per_s, offset_s = 1_000_000, 0
        option = body + 8
        while option + 4 <= end:
            code, size = Struct(self._order + "HH").unpack_from(buffer, option)
            value = bytes(buffer[option + 4 : min(option + 4 + size, end)])
            if code == 0:
                break
            if code == _OPTION_RESOLUTION and len(value) == 1:
                ticks_per_s = _ticks_per_s(value[0])
            elif code == _OPTION_OFFSET and len(value) == 8:
                (offset_s,) = Struct(self._order + "q").unpack(value)
            option += 4 + (size + 3 & ~3)
        return _Interface(link_type, snaplen, ticks_per_s, offset_s)


def _ticks_per_s(resolution: int) -> int:
    """if_tsresol: a power of ten, or of two when the top bit is set; beyond 63 bits it means nothing."""
    exponent = resolution & 0x7F
    if resolution & 0x80:
        return 1 << min(exponent, 63)
    return int(10 ** min(exponent, 18))


def _instants(batch: _Batch) -> NDArray[np.int64]:
    """(n,) UTC ns; exact for every resolution, and never out of range for hostile ticks."""
    rate, offset_ns = batch.interface.ticks_per_s, batch.interface.offset_s * NS
    if NS % rate == 0:
        scale = NS // rate
        instants = [ticks * scale + offset_ns for ticks in batch.ticks]
    else:
        instants = [ticks * NS // rate + offset_ns for ticks in batch.ticks]
    longest = (1 << 63) - 1
    return np.array([min(max(instant, 0), longest) for instant in instants], np.int64)
