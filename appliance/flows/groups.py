"""Packets of one batch that belong together: sorted by a keyed hash, then proven equal by their keys.

A hash may collide, a record may not: where neighbours share a hash but not a key the batch is sorted by
the keys themselves. The multipliers are drawn at random by the caller, so nobody outside can aim for
collisions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.flows.orient import Oriented
from appliance.model.instants import HOUR_NS
from appliance.wire.packets import Packets

MOST_PACKETS = 1 << 16
_INDEX_BITS = np.uint64(16)
_INDEX = np.uint64(MOST_PACKETS - 1)
_COUNT_SHIFT = np.int64(46)
_OCTETS = np.int64((1 << 46) - 1)

FIN_BITS = np.uint8(0x01)
RST_BIT = np.uint8(0x04)
INWARD_FIN = np.uint8(0x02)
"""In `flags` FIN seen from the first side is 0x01, from the other side 0x02; RST from either is 0x04."""


@dataclass(frozen=True)
class Groups:
    """g runs of packets of one connection, no gap beyond the idle timeout, none across a UTC hour.

    Sorted by `hash` (the high 48 bits hold it), runs of one connection in time order beside each other.
    """

    hash: NDArray[np.uint64]
    key: tuple[NDArray[np.uint64], ...]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    packets_out: NDArray[np.int64]
    octets_out: NDArray[np.int64]
    packets_in: NDArray[np.int64]
    octets_in: NDArray[np.int64]
    flags: NDArray[np.uint8]
    other_mac: NDArray[np.uint64]
    vlan: NDArray[np.int16]
    initiator_inward: NDArray[np.bool_]  # the first packet was sent to the first side of the key
    follows: NDArray[np.bool_]  # a further run of the connection before it in this batch

    def __len__(self) -> int:
        return len(self.hash)


def group(
    packets: Packets,
    oriented: Oriented,
    multipliers: NDArray[np.uint64],
    idle_ns: int,
    active_ns: int,
) -> Groups:
    """Group at most MOST_PACKETS packets of one family."""
    hashed = oriented.key[0] * multipliers[0]
    for word, multiplier in zip(oriented.key[1:-1], multipliers[1:], strict=False):
        hashed += word * multiplier
    order = _sorted(hashed)
    ordered = hashed[order] >> _INDEX_BITS
    key = [column[order] for column in oriented.key]
    begins = np.empty(len(order), np.bool_)
    begins[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    if not _proven(key, begins):
        order = np.lexsort((np.arange(len(hashed)), *oriented.key, hashed >> _INDEX_BITS))
        ordered = hashed[order] >> _INDEX_BITS
        key = [column[order] for column in oriented.key]
        for column in key:
            begins[1:] |= column[1:] != column[:-1]
    time = packets.time[order]
    follows = _cut(time, begins, idle_ns, active_ns)
    return _reduce(packets, oriented, order, ordered, key, time, begins | follows, follows)


def _sorted(hashed: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Order by hash, then capture order: one sort of numbers that carry both (13 ns a packet)."""
    tagged = (hashed & ~_INDEX) | np.arange(len(hashed), dtype=np.uint64)
    tagged.sort()
    return (tagged & _INDEX).astype(np.int64)


def _proven(key: list[NDArray[np.uint64]], begins: NDArray[np.bool_]) -> bool:
    different = np.zeros(len(begins) - 1, np.uint64)
    for column in key:
        different |= column[1:] ^ column[:-1]
    return not np.any((different != 0) & ~begins[1:])


def _cut(
    time: NDArray[np.int64], begins: NDArray[np.bool_], idle_ns: int, active_ns: int
) -> NDArray[np.bool_]:
    """Where a run must end although its connection goes on: silence, the hour, the active timeout."""
    follows = np.zeros(len(time), np.bool_)
    earliest, latest = int(time.min()), int(time.max())
    if latest - earliest <= min(idle_ns, active_ns) and earliest // HOUR_NS == latest // HOUR_NS:
        return follows
    gap = np.abs(np.diff(time)) > idle_ns
    hour = time // HOUR_NS
    follows[1:] = (gap | (hour[1:] != hour[:-1])) & ~begins[1:]
    starts = np.flatnonzero(begins | follows)
    run = np.cumsum(begins | follows) - 1
    span = np.maximum.reduceat(time, starts) - np.minimum.reduceat(time, starts)
    window = time // active_ns
    follows[1:] |= (span > active_ns)[run[1:]] & (window[1:] != window[:-1]) & ~begins[1:]
    return follows


def _reduce(
    packets: Packets,
    oriented: Oriented,
    order: NDArray[np.int64],
    ordered: NDArray[np.uint64],
    key: list[NDArray[np.uint64]],
    time: NDArray[np.int64],
    begins: NDArray[np.bool_],
    follows: NDArray[np.bool_],
) -> Groups:
    starts = np.flatnonzero(begins)
    inward = oriented.inward[order]
    counted = packets.octets[order]
    counted |= np.int64(1) << _COUNT_SHIFT
    counted_in = counted * inward
    total_in = np.add.reduceat(counted_in, starts)
    total_out = np.add.reduceat(counted - counted_in, starts)
    heads = order[starts]
    head_flags = packets.tcp_flags[heads]
    answered = (head_flags & 0x12) == 0x12  # SYN+ACK: the sender is the one who was called
    monotone = bool((packets.time[1:] >= packets.time[:-1]).all())
    ends = np.append(starts[1:], len(order)) - 1
    return Groups(
        ordered[starts],
        tuple(column[starts] for column in key),
        time[starts] if monotone else np.minimum.reduceat(time, starts),
        time[ends] if monotone else np.maximum.reduceat(time, starts),
        total_out >> _COUNT_SHIFT,
        total_out & _OCTETS,
        total_in >> _COUNT_SHIFT,
        total_in & _OCTETS,
        np.bitwise_or.reduceat(_closing(packets.tcp_flags[order], inward), starts),
        oriented.other_mac[heads],
        np.full(len(heads), -1, np.int16) if packets.vlan is None else packets.vlan[heads],
        oriented.inward[heads] ^ answered,
        follows[starts],
    )


def _closing(flags: NDArray[np.uint8], inward: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """FIN by direction and RST, the only flags that end a flow."""
    fin = flags & FIN_BITS
    return (fin << inward.view(np.uint8)) | (flags & RST_BIT)
