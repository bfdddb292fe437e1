"""Packet columns: what the headers of a batch of frames say, one array a field.

Addresses, ports and MACs stay as they lie on the wire (network order read into little-endian numbers):
they are only compared and hashed here; turning them costs once a row, not once a packet.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PORTS_UNKNOWN = 0x100
"""Set in `shape` beside the protocol where ports do not exist, were cut off, or lie in another fragment."""

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
MAC_MASK = np.uint64(0xFFFF_FFFF_FFFF)


@dataclass(frozen=True)
class Packets:
    """n IP packets of one family in capture order.

    `addresses` holds one (n,) column for IPv4 (source in the low, destination in the high half) and four
    for IPv6 (source high and low, destination high and low). `octets` is the IP layer's length, header
    included. `ports` holds the source port in its low, the destination port in its high half.
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

    def __len__(self) -> int:
        return len(self.time)

    def slice(self, start: int, stop: int) -> "Packets":
        """Packets start..stop, as views."""
        part = slice(start, stop)
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
        )


def untagged(count: int) -> NDArray[np.int16]:
    """(count,) of "no tag"."""
    return np.full(count, -1, np.int16)
