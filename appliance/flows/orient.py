"""Which side of each packet is the client, and the key that both directions of a connection share.

The client is the side in the site's networks. Where both sides are, or neither, the key is ordered by
address and port, and the flow table makes the initiator the client once it knows who that was.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.networks import Networks
from appliance.wire.packets import Packets

KEY_WORDS = {4: 4, 6: 7}
"""64-bit words of a whole key: addresses, ports and shape, the first side's MAC, the other's or 0."""

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF_FFFF)
GROUP_BIT = np.uint64(1)  # of the first byte on the wire: broadcast and multicast
_UNDECIDED = np.uint64(1 << 63)


@dataclass(frozen=True)
class Oriented:
    """Key words and direction of n packets.

    `key` holds (n,) columns: the addresses with the client's (or the lower) side first, ports and shape, the
    MAC of that side, and, if some packets are undecided, the MAC of the other side of those (else 0). Where
    the MACs are not those of the two sides, they are no part of it: 0.
    `inward` is true for packets sent to the first side. Undecided: that side need not be the client.
    """

    key: tuple[NDArray[np.uint64], ...]
    inward: NDArray[np.bool_]


def orient(packets: Packets, networks: Networks) -> Oriented:
    """Order the two sides of every packet of a batch."""
    if packets.family == 4:
        inward, undecided = _ipv4_sides(packets, networks)
        pair = packets.addresses[0]
        addresses: tuple[NDArray[np.uint64], ...] = (np.where(inward, pair >> _HALF | pair << _HALF, pair),)
    else:
        inward, undecided = _ipv6_sides(packets, networks)
        s_hi, s_lo, d_hi, d_lo = packets.addresses
        addresses = (
            np.where(inward, d_hi, s_hi),
            np.where(inward, d_lo, s_lo),
            np.where(inward, s_hi, d_hi),
            np.where(inward, s_lo, d_lo),
        )
    ports = packets.ports
    ordered = np.where(inward, ports >> np.uint32(16) | ports << np.uint32(16), ports).astype(np.uint64)
    ordered |= packets.shape.astype(np.uint64) << _HALF
    mac = np.where(inward, packets.destination_mac, packets.source_mac)
    grouped = mac & GROUP_BIT
    if grouped.any():
        mac *= 1 - grouped  # a group address is never a station
    unsure = _unsure_of_macs(packets)
    if unsure is not None:
        mac[unsure] = 0
    key = (*addresses, ordered, mac)
    if undecided.any():
        rows = np.flatnonzero(undecided)
        ordered[rows] |= _UNDECIDED
        both = np.zeros(len(mac), np.uint64)
        both[rows] = other_macs(packets, Oriented(key, inward), rows)
        if unsure is not None:
            both[unsure] = 0
        key = (*key, both)
    return Oriented(key, inward)


def other_macs(packets: Packets, oriented: Oriented, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """MAC of the second side in these packets; no group address where that side may be the client."""
    macs = np.where(oriented.inward[rows], packets.source_mac[rows], packets.destination_mac[rows])
    may_be_client = is_undecided(oriented.key[len(packets.addresses)][rows])
    return np.where(may_be_client & ((macs & GROUP_BIT) != 0), np.uint64(0), macs)


def _unsure_of_macs(packets: Packets) -> NDArray[np.bool_] | None:
    """(n,) packets whose two directions do not name the same two MACs; None if there is none.

    Where a tunnel carried bare IP, they are those of its ends, which change places with the tunnel and not
    with the packet; and a cooked link tells the sender's only.
    """
    hidden = packets.hidden_mac
    if packets.destination_mac.all():
        return hidden
    untold: NDArray[np.bool_] = packets.destination_mac == 0
    return untold if hidden is None else untold | hidden


def is_undecided(ports: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Of the ports word of keys: true where the initiator is to be made the client."""
    return np.asarray((ports & _UNDECIDED) != 0)


def _ipv4_sides(packets: Packets, networks: Networks) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    pair = packets.addresses[0]
    source, destination = pair.astype(np.uint32), (pair >> _HALF).astype(np.uint32)
    own_source, own_destination = networks.hold_ipv4(source), networks.hold_ipv4(destination)
    undecided = own_source == own_destination
    inward = own_destination & ~own_source
    if undecided.any():
        rows = np.flatnonzero(undecided)
        lower = destination[rows] < source[rows]
        same = destination[rows] == source[rows]
        inward[rows] = lower | same & _destination_port_lower(packets.ports[rows])
    return inward, undecided


def _ipv6_sides(packets: Packets, networks: Networks) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    s_hi, s_lo, d_hi, d_lo = packets.addresses
    own_source, own_destination = networks.hold_ipv6(s_hi, s_lo), networks.hold_ipv6(d_hi, d_lo)
    undecided = own_source == own_destination
    inward = own_destination & ~own_source
    if undecided.any():
        rows = np.flatnonzero(undecided)
        s_hi, s_lo, d_hi, d_lo = s_hi[rows], s_lo[rows], d_hi[rows], d_lo[rows]
        lower = (d_hi < s_hi) | (d_hi == s_hi) & (d_lo < s_lo)
        same = (d_hi == s_hi) & (d_lo == s_lo)
        inward[rows] = lower | same & _destination_port_lower(packets.ports[rows])
    return inward, undecided


def _destination_port_lower(ports: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return (ports >> np.uint32(16)) < (ports & np.uint32(0xFFFF))
