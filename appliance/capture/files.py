"""Capture files: classic pcap and pcapng, either byte order, micro- and nanosecond, gzip and zstd too.

A file is read in chunks into one buffer that is used again; each chunk's whole records become one batch
of frames. Damage ends the file where it stands, as it does for libpcap: what was whole is kept, the rest
is counted.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from appliance.capture.walk import HEADER_BYTES, LONGEST_RECORD_BYTES, walk
from appliance.model.errors import CaptureError
from appliance.model.frames import PADDING_BYTES, Frames
from appliance.model.instants import NS

CHUNK_BYTES = 16 << 20
"""Large enough for a full batch of 65,536 small packets, small enough to stay in the last-level cache."""

_PCAP_MAGIC = {
    0xA1B2C3D4: 1000,  # microseconds
    0xA1B23C4D: 1,  # nanoseconds
}
_FILE_HEADER_BYTES = 24
_PIECE_BYTES = 8192
"""Compressed files are read in small pieces: a piece in which the compression breaks off is lost."""

_PCAPNG = b"\x0a\x0d\x0d\x0a"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class CaptureFile:
    """One capture file; iterate over it for batches of frames.

    `size_bytes` and `read_bytes` count the file's own bytes (compressed ones where it is compressed), for
    progress. `damaged` counts places where the file is not what its format says, `unread_bytes` what lay
    behind them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self.damaged = 0
        self.unread_bytes = 0
        self._raw: BinaryIO | None = None
        self._stream: BinaryIO | None = None
        self._buffer: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._filled = 0
        self._ended = False

    def __enter__(self) -> Self:
        try:
            self._raw = self.path.open("rb", buffering=0)
            self.size_bytes = self.path.stat().st_size
            magic = self._raw.read(4)
            self._raw.seek(0)
        except OSError as error:
            raise CaptureError(
                f"cannot read {self.path}: {error.strerror}; give an existing capture file"
            ) from error
        self._stream = decompressed(self._raw, magic)
        room = CHUNK_BYTES if self._stream is not self._raw else min(CHUNK_BYTES, self.size_bytes + 1)
        self._buffer = np.zeros(room + PADDING_BYTES, np.uint8)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._raw:
            self._raw.close()

    @property
    def read_bytes(self) -> int:
        """How far into the file the reader is."""
        return self._raw.tell() if self._raw and not self._raw.closed else self.size_bytes

    def __iter__(self) -> Iterator[Frames]:
        """Batches of frames; raises CaptureError when the file is no capture at all."""
        self._fill(0)
        start = bytes(self._buffer[:_FILE_HEADER_BYTES])
        if start[:4] == _PCAPNG:
            yield from self._pcapng()
            return
        for order in "<>":
            (magic,) = struct.unpack(order + "I", start[:4].ljust(4, b"\0"))
            if magic in _PCAP_MAGIC and self._filled >= _FILE_HEADER_BYTES:
                (link_type,) = struct.unpack(order + "I", start[20:24])
                yield from self._pcap(order, _PCAP_MAGIC[magic], link_type & 0x03FF_FFFF)
                return
        raise CaptureError(f"{self.path} is not a capture file (pcap or pcapng); it was left out")

    def _pcap(self, order: str, fraction_ns: int, link_type: int) -> Iterator[Frames]:
        here = _FILE_HEADER_BYTES
        while True:
            found = walk(self._buffer, here, self._filled, order == ">")
            if len(found.offsets):
                yield self._frames(found.offsets, order, fraction_ns, link_type)
            if found.damaged or not self._fill(found.next):
                self._count_rest(0 if not found.damaged else found.next, found.damaged)
                return
            here = 0

    def _pcapng(self) -> Iterator[Frames]:
        from appliance.capture import pcapng

        reader = pcapng.Blocks()
        here = 0
        while True:
            after = reader.read(self._buffer, here, self._filled)
            yield from reader.frames(self._buffer)
            if reader.damaged or not self._fill(after):
                self._count_rest(0 if not reader.damaged else after, reader.damaged)
                return
            here = 0

    def _frames(self, at: NDArray[np.int64], order: str, fraction_ns: int, link_type: int) -> Frames:
        sliding = np.ndarray((len(self._buffer) - 15,), dtype="V16", buffer=self._buffer, strides=(1,))
        header = sliding[at].view(order + "u4").reshape(-1, 4)
        time = header[:, 0].astype(np.int64)
        time *= NS
        fraction = header[:, 1].astype(np.int64)
        fraction *= fraction_ns
        time += fraction
        captured, length = header[:, 2].astype(np.int64), header[:, 3].astype(np.int64)
        return Frames(self._buffer, at + HEADER_BYTES, captured, length, time, link_type)

    def _fill(self, consumed: int) -> bool:
        """Move what is left to the front and read on; False when nothing more came."""
        if self._ended or self._stream is None:
            self._filled -= consumed
            self._buffer[: self._filled] = self._buffer[consumed : consumed + self._filled].copy()
            return False
        rest = self._filled - consumed
        if rest > 2 * LONGEST_RECORD_BYTES + CHUNK_BYTES // 2:
            return False  # a block that will never be whole
        self._buffer[:rest] = self._buffer[consumed : self._filled].copy()
        self._filled = rest
        room = len(self._buffer) - PADDING_BYTES
        piece = room if self._stream is self._raw else _PIECE_BYTES
        stream: Any = self._stream
        read = getattr(stream, "readinto1", stream.readinto)
        try:
            while self._filled < room:
                count = read(self._buffer.data[self._filled : min(self._filled + piece, room)])
                if not count:
                    self._ended = True
                    break
                self._filled += count
        except (OSError, EOFError, ValueError, zlib.error):
            self._ended = True  # a broken compressed stream: what came before is whole
            self.damaged += 1
        self._buffer[self._filled : self._filled + PADDING_BYTES] = 0
        return self._filled > rest

    def _count_rest(self, at: int, damaged: bool) -> None:
        rest = self._filled - at
        if damaged or rest:
            self.damaged += 1
            self.unread_bytes += rest


def is_capture(start: bytes) -> bool:
    """Whether a file that begins so is a capture, once it is decompressed."""
    numbers = (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
    return start[:4] == _PCAPNG or any(number in _PCAP_MAGIC for number in numbers)


def decompressed(raw: BinaryIO, magic: bytes) -> BinaryIO:
    """What a file holds, given its first four bytes; the file itself where it is not compressed."""
    if magic[:2] == _GZIP:
        import gzip

        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if magic == _ZSTD:
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")  # type: ignore[no-any-return]
    return raw
