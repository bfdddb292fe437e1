"""ClientHellos that came in several packets, put together in slots of fixed number and size.

A ClientHello with a post-quantum key no longer fits one packet. Only what came within one batch is put
together; nothing is kept for the next one, and `clear` overwrites what was put here with zeros.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import PADDING_BYTES

SLOTS = 256
SLOT_BYTES = 4096
"""A ClientHello with a post-quantum key has under two thousand octets."""


class Pieces:
    """Slots for handshake bytes, each filled by pieces at offsets; what lies behind a gap does not count."""

    def __init__(self) -> None:
        self.data = np.zeros(SLOTS * SLOT_BYTES + PADDING_BYTES, np.uint8)
        self._buffer = self.data.data
        self._filled: list[list[tuple[int, int]]] = []

    def __len__(self) -> int:
        return len(self._filled)

    @property
    def is_full(self) -> bool:
        return len(self._filled) == SLOTS

    def begin(self) -> None:
        """From now on pieces belong to a further slot."""
        self._filled.append([])

    def put(self, offset: int, piece: memoryview) -> None:
        """A piece of the slot begun last; what goes beyond the slot is left out."""
        stop = min(offset + len(piece), SLOT_BYTES)
        if offset >= stop:
            return
        base = (len(self._filled) - 1) * SLOT_BYTES
        self._buffer[base + offset : base + stop] = piece[: stop - offset]
        self._filled[-1].append((offset, stop))

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(s,) where each slot begun starts and where its first gap is."""
        start = np.arange(len(self._filled), dtype=np.int64) * SLOT_BYTES
        return start, start + np.array([_unbroken(filled) for filled in self._filled], np.int64)

    def clear(self) -> None:
        """Overwrite every slot begun, and begin anew."""
        self.data[: len(self._filled) * SLOT_BYTES] = 0
        self._filled.clear()


def _unbroken(filled: list[tuple[int, int]]) -> int:
    """How far the pieces reach from the beginning without a gap."""
    reach = 0
    for start, stop in sorted(filled):
        if start > reach:
            break
        reach = max(reach, stop)
    return reach
