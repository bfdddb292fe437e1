"""Frames as they come from a capture file or the kernel ring: one flat buffer and where each frame lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING_BYTES = 128
"""Readable bytes that must follow the last frame, so that a fixed-size window never leaves the buffer."""

ETHERNET = 1
BSD_NULL, BSD_LOOP = 0, 108
RAW_IP, RAW_IP_BSD, RAW_IP_OPENBSD, IPV4_ONLY, IPV6_ONLY = 101, 12, 14, 228, 229
PPP, PPP_SERIAL, PPPOE, CISCO_HDLC = 9, 50, 51, 104
COOKED, COOKED_V2 = 113, 276
MPLS_LABELS = 219
"""LINKTYPE values (https://www.tcpdump.org/linktypes.html)."""


@dataclass(frozen=True)
class Frames:
    """A batch of n frames of one link type, in the order they were captured.

    The buffer belongs to the reader and is overwritten by its next read: whoever wants bytes copies them.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]  # (n,) where each frame's first byte lies in `data`
    captured: NDArray[np.int64]  # (n,) bytes captured of it
    length: NDArray[np.int64]  # (n,) bytes it had on the wire
    time: NDArray[np.int64]  # (n,) UTC ns
    link_type: int
    vlan: NDArray[np.int16] | None = None  # (n,) tag the kernel took out, -1 none; None: nothing taken out

    def __len__(self) -> int:
        return len(self.offsets)

    def window(self, at: NDArray[np.int64], size_bytes: int) -> NDArray[np.void]:
        """(k,) copies of `size_bytes` bytes from each position: one gather, whatever the alignment.

        A void dtype makes numpy copy each window with one memcpy (17 ns for 64 bytes; four separate
        gathers of eight bytes take 80).
        """
        count = len(self.data) - size_bytes + 1
        sliding = np.ndarray((count,), dtype=f"V{size_bytes}", buffer=self.data, strides=(1,))
        return sliding[at]
