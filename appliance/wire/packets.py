"""Packet columns: what the headers of a batch of frames say, one array a field.

Addresses, ports and MACs stay as they lie on the wire (network order read into little-endian numbers):
they are only compared and hashed here; turning them costs once a row, not once a packet.
"""

from dataclasses import dataclass
from typing import Any as _Any

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


def join(parts: list[Packets], positions: list[NDArray[np.int64]]) -> Packets:
    """One batch out of several of the same family, put back into capture order by their positions."""
    order = np.argsort(np.concatenate(positions), kind="stable")

    def together(columns: list[NDArray[_Any]]) -> NDArray[_Any]:
        return np.concatenate(columns)[order]

    tagged = any(part.vlan is not None for part in parts)
    vlans = [untagged(len(part)) if part.vlan is None else part.vlan for part in parts]
    return Packets(
        parts[0].family,
        together([part.time for part in parts]),
        tuple(together(list(columns)) for columns in zip(*(part.addresses for part in parts), strict=True)),
        together([part.ports for part in parts]),
        together([part.shape for part in parts]),
        together([part.octets for part in parts]),
        together([part.tcp_flags for part in parts]),
        together([part.source_mac for part in parts]),
        together([part.destination_mac for part in parts]),
        together(vlans) if tagged else None,
    )


def untagged(count: int) -> NDArray[np.int16]:
    """(count,) of "no tag"."""
    return np.full(count, -1, np.int16)
