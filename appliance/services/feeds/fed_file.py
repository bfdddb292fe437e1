"""A file of feeds as bytes: decompressed, with how far it is read and when it was last written."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from appliance.capture.files import decompressed
from appliance.model.errors import CaptureError
from appliance.model.instants import NS

START_BYTES = 64
_PIECE_BYTES = 1 << 20
_GZIP_MTIME = slice(4, 8)  # RFC 1952 section 2.3.1
_FOREIGN = {b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}


class FedFile:
    """One file to read. `start` is how it begins, once decompressed.

    `damaged` is set where compression broke off: what came before is whole. `written_ns` is when it was
    last written, by its compression if that knows it, else by the file system.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = b""
        self.damaged = False
        self.written_ns = 0
        self._raw: BinaryIO | None = None
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self._raw = self.path.open("rb", buffering=0)
            head = self._raw.read(START_BYTES)
            self._raw.seek(0)
            found_ns = self.path.stat().st_mtime_ns
        except OSError as error:
            raise CaptureError(f"cannot read {self.path}: {error.strerror}; give an existing file") from error
        for magic, name in _FOREIGN.items():
            if head.startswith(magic):
                self._raw.close()
                raise CaptureError(f"{self.path} is compressed with {name}; unpack it first")
        packed_s = int.from_bytes(head[_GZIP_MTIME], "little") if head.startswith(b"\x1f\x8b") else 0
        self.written_ns = min(found_ns, packed_s * NS) if packed_s else found_ns
        self._stream = decompressed(self._raw, head[:4])
        self.start = self._read(START_BYTES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._raw:
            self._raw.close()

    @property
    def read_bytes(self) -> int:
        """How far into the file the reader is, in the file's own bytes."""
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def pieces(self) -> Iterator[bytes]:
        """Its content, once."""
        piece = self.start
        while piece:
            yield piece
            piece = self._read(_PIECE_BYTES)

    def _read(self, size_bytes: int) -> bytes:
        assert self._stream is not None
        try:
            return bytes(self._stream.read(size_bytes) or b"")
        except (OSError, EOFError, ValueError, zlib.error):
            self.damaged = True
            return b""
