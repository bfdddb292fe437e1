"""Packet columns: what the headers of a batch of frames say, one array a field.

Addresses, ports and MACs stay as they lie on the wire (network order read into little-endian numbers):
they are only compared and hashed here; turning them costs once a row, not once a packet.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import PADDING_BYTES, RAW_IP, Frames

PORTS_UNKNOWN = 0x100
"""Set in `shape` beside the protocol where ports do not exist, were cut off, or lie in another fragment."""

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
MAC_MASK = np.uint64(0xFFFF_FFFF_FFFF)

DETACHED_BYTES = 128
"""What `detach` keeps of each packet: the longest IPv4 header and the longest TCP header fit."""


_Rows = slice | NDArray[np.int64]
_EVERY: _Rows = slice(None)


@dataclass(frozen=True)
class Packets:
    """n IP packets of one family in capture order.

    `addresses` holds one (n,) column for IPv4 (source in the low, destination in the high half) and four
    for IPv6 (source high and low, destination high and low). `octets` is the IP layer's length, header
    included. `ports` holds the source port in its low, the destination port in its high half.

    `frames` is the batch they came in, valid as long as its buffer; `at` is each one's frame in it. A frame
    may carry several packets. `network` and `transport` are byte positions in the buffer.
    """

    family: int
    time: NDArray[np.int64]
    addresses: tuple[NDArray[np.uint64], ...]
    ports: NDArray[np.uint32]
    shape: NDArray[np.uint16]
    octets: NDArray[np.int64]
    tcp_flags: NDArray[np.uint8]
    source_mac: NDArray[np.uint64]
    destination_mac: NDArray[np.uint64]
    vlan: NDArray[np.int16] | None
    frames: Frames
    at: NDArray[np.int64]  # (n,) position in `frames`
    network: NDArray[np.int64]  # (n,) where the IP header begins
    transport: NDArray[np.int64]  # (n,) what follows IP headers and extensions; -1 where it is not readable
    ap_mac: NDArray[np.uint64] | None = None  # (n,) as the MACs; 0 where there is none
    hidden_mac: NDArray[np.bool_] | None = None  # (n,) the MACs are of the link that carried an IP tunnel
    stop: NDArray[np.int64] | None = None  # (n,) where a tunnel's inner frame ends; None: with the frame

    def __len__(self) -> int:
        return len(self.time)

    def ends(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """(k,) where the captured bytes of these packets, or of all, stop: what follows is not theirs."""
        some = _EVERY if rows is None else rows
        if self.stop is None:
            at = self.at[some]
            stop = self.frames.offsets[at] + self.frames.captured[at]
        else:
            stop = self.stop[some]
        return np.asarray(np.minimum(stop, self.network[some] + self.octets[some]))

    def hop_limits(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(k,) the TTL or hop limit of these packets."""
        limits: NDArray[np.uint8] = self.frames.data[self.network[rows] + (8 if self.family == 4 else 7)]
        return limits

    def slice(self, start: int, stop: int) -> "Packets":
        """Packets start..stop, as views."""
        return self._of(slice(start, stop))

    def take(self, rows: NDArray[np.int64]) -> "Packets":
        """Some of the packets, in the order of `rows`, as copies; their bytes stay where they are."""
        return self._of(rows)

    def _of(self, part: _Rows) -> "Packets":
        return Packets(
            self.family,
            self.time[part],
            tuple(column[part] for column in self.addresses),
            self.ports[part],
            self.shape[part],
            self.octets[part],
            self.tcp_flags[part],
            self.source_mac[part],
            self.destination_mac[part],
            None if self.vlan is None else self.vlan[part],
            self.frames,
            self.at[part],
            self.network[part],
            self.transport[part],
            None if self.ap_mac is None else self.ap_mac[part],
            None if self.hidden_mac is None else self.hidden_mac[part],
            None if self.stop is None else self.stop[part],
        )

    def detach(self) -> "Packets":
        """The same packets with a copy of the first `DETACHED_BYTES` of each, to outlive the buffer.

        Each becomes a frame of its own; the other columns are shared unless they are views of the buffer.
        """
        count = len(self)
        starts = np.arange(count, dtype=np.int64) * DETACHED_BYTES
        data = np.zeros(count * DETACHED_BYTES + PADDING_BYTES, np.uint8)
        kept = self.frames.window(self.network, DETACHED_BYTES).view(np.uint8)
        data[: count * DETACHED_BYTES] = kept
        held = np.minimum(self.ends(np.arange(count)) - self.network, DETACHED_BYTES)
        time = self.time.copy()
        return replace(
            self,
            time=time,
            frames=Frames(data, starts, held, self.octets, time, RAW_IP),
            at=np.arange(count, dtype=np.int64),
            network=starts,
            transport=np.where(self.transport < 0, -1, starts + self.transport - self.network),
            stop=None,
        )


def untagged(count: int) -> NDArray[np.int16]:
    """(count,) of "no tag"."""
    return np.full(count, -1, np.int16)
