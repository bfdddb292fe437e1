"""Keyed hashes of connections and addresses: from packets and from rows the same number.

The multipliers are drawn at random when recording starts and die with the process, so a hash tells nobody
which address it was. A collision puts one connection's octets under another's category: a total is a little
wrong, no record is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4
from appliance.wire.packets import Packets

UInt64 = NDArray[np.uint64]

MULTIPLIERS = 8
"""How many random 64-bit numbers `Keys` wants."""


@dataclass(frozen=True)
class Sides:
    """Both sides of k connections: halves of addresses and ports, as numbers."""

    one: tuple[UInt64, UInt64, UInt64]
    other: tuple[UInt64, UInt64, UInt64]
    protocol: UInt64


def packet_sides(packets: Packets, rows: NDArray[np.int64]) -> Sides:
    """Sender and receiver of these packets. Packets hold network order; numbers come out."""
    ports = packets.ports[rows].byteswap().astype(np.uint64)
    source_port, destination_port = ports >> np.uint64(16), ports & np.uint64(0xFFFF)
    protocol = (packets.shape[rows] & np.uint16(0xFF)).astype(np.uint64)
    if packets.family == 4:
        pair = packets.addresses[0][rows].byteswap()
        none = np.zeros(len(rows), np.uint64)
        source = pair >> np.uint64(32) | np.uint64(MAPPED_V4)
        destination = pair & np.uint64(0xFFFF_FFFF) | np.uint64(MAPPED_V4)
        return Sides((none, source, source_port), (none, destination, destination_port), protocol)
    source_hi, source_lo, destination_hi, destination_lo = (
        column[rows].byteswap() for column in packets.addresses
    )
    return Sides(
        (source_hi, source_lo, source_port), (destination_hi, destination_lo, destination_port), protocol
    )


def row_sides(rows: NDArray[np.void]) -> Sides:
    """Client and peer of TRAFFIC rows."""
    client_port, peer_port = (
        rows[name].astype(np.int64).view(np.uint64) & np.uint64(0xFFFF)
        for name in ("client_port", "peer_port")
    )
    return Sides(
        (rows["client_ip_hi"].copy(), rows["client_ip_lo"].copy(), client_port),
        (rows["peer_ip_hi"].copy(), rows["peer_ip_lo"].copy(), peer_port),
        rows["protocol"].astype(np.uint64),
    )


class Keys:
    """Hashes under `multipliers`, MULTIPLIERS random 64-bit numbers, kept secret."""

    def __init__(self, multipliers: UInt64) -> None:
        self._odd = multipliers[:MULTIPLIERS] | np.uint64(1)

    def connections(self, sides: Sides) -> UInt64:
        """(k,) hashes, the same whichever side is named first."""
        both = self._side(*sides.one) + self._side(*sides.other)
        return self._mix(both + sides.protocol * self._odd[3], self._odd[4])

    def addresses(self, hi: UInt64, lo: UInt64) -> UInt64:
        """(k,) hashes of addresses given as halves."""
        return self._mix(hi * self._odd[0] + lo * self._odd[1], self._odd[5])

    def _side(self, hi: UInt64, lo: UInt64, port: UInt64) -> UInt64:
        return self._mix(hi * self._odd[0] + lo * self._odd[1] + port * self._odd[2], self._odd[6])

    def _mix(self, words: UInt64, multiplier: np.uint64) -> UInt64:
        """High bits into low ones and back, so that sums of two sides do not cancel out."""
        words ^= words >> np.uint64(32)
        words *= multiplier
        words ^= words >> np.uint64(29)
        words *= self._odd[7]
        words ^= words >> np.uint64(32)
        return words
