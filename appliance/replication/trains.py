"""How good the uplink is, from a train: some of what is to be sent anyway leaves unpaced, watched.

The distances that the narrowest place on the way puts between its packets are still there between their
acknowledgements, so that 64 KiB every ten minutes tell what no trickle can. Decision 073.
"""

import ssl
import time
from collections.abc import Iterator
from typing import BinaryIO

from appliance.replication import pacing, tcp_info
from appliance.replication.tcp_info import TcpInfo

_PIECE_BYTES = 4096
_GLANCE_S = 0.0005
_LONGEST_S = 1.0
"""A train whose end is not acknowledged by then has met something else, and tells nothing."""


class Train:
    """One train, of at most `size_bytes` and 100 ms; `rate` is in bytes a second, once it is through."""

    def __init__(self, connection: ssl.SSLSocket, size_bytes: int) -> None:
        self.rate: float | None = None
        self.sent_bytes = 0
        self._connection = connection
        self._size_bytes = size_bytes
        self._acknowledged: list[tuple[float, int]] = []

    def pieces(self, content: BinaryIO) -> Iterator[bytes]:
        """The content as it may leave: the kernel always has something to send, and never much."""
        begun_s = time.monotonic()
        while self.sent_bytes < self._size_bytes and time.monotonic() - begun_s < pacing.TRAIN_S:
            piece = content.read(min(_PIECE_BYTES, self._size_bytes - self.sent_bytes))
            if not piece:
                break
            self.sent_bytes += len(piece)
            yield piece
            while self._glance().notsent_bytes and time.monotonic() - begun_s < _LONGEST_S:
                time.sleep(_GLANCE_S)
        while self._glance().unacked and time.monotonic() - begun_s < _LONGEST_S:
            time.sleep(_GLANCE_S)
        if not self._glance().unacked:
            self.rate = pacing.bottleneck(self._acknowledged)

    def _glance(self) -> TcpInfo:
        info = tcp_info.read(self._connection)
        if not self._acknowledged or info.acked_bytes > self._acknowledged[-1][1]:
            self._acknowledged.append((time.monotonic(), info.acked_bytes))
        return info
