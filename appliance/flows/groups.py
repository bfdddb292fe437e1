"""Packets of one batch that belong together, found without sorting and proven equal by their keys.

Each packet writes its number into a bucket chosen by a keyed hash; the first of a connection wins the
bucket, and whoever reads a packet with another key there tries again with another hash. A hash may
collide, a record may not. The multipliers are drawn at random by the caller, so nobody outside can aim
for collisions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.flows.flags import FIN_BACK, FIN_FORTH, RESET, SENT_BACK, SENT_FORTH
from appliance.flows.orient import KEY_WORDS, Oriented, is_undecided, other_macs
from appliance.flows.senders import first_macs, has_sent, senders
from appliance.model.instants import HOUR_NS
from appliance.wire.packets import FIN, RST, Packets

MOST_PACKETS = 1 << 17

_BUCKET_BITS = 18
_TRIES = 8
_REHASH = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Groups:
    """g runs of packets of one connection, no gap beyond the idle timeout, none across a UTC hour.

    Sorted by `hash`; runs of one connection lie beside each other in time order.
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
    first_mac: NDArray[np.uint64]  # of the first side: the key's, else as it was the first time it sent
    other_mac: NDArray[np.uint64]
    vlan: NDArray[np.int16]
    ap_mac: NDArray[np.uint64]  # 0 where none is known
    initiator_inward: NDArray[np.bool_]  # the first packet was sent to the first side of the key
    follows: NDArray[np.bool_]  # a further run of the connection before it in this batch

    def __len__(self) -> int:
        return len(self.hash)

    def take(self, rows: NDArray[np.int64]) -> "Groups":
        """Some of the groups, of each connection all or none."""
        columns = {name: column[rows] for name, column in vars(self).items() if name != "key"}
        return Groups(key=tuple(word[rows] for word in self.key), **columns)


def group(
    packets: Packets,
    oriented: Oriented,
    multipliers: NDArray[np.uint64],
    idle_ns: int,
    active_ns: int,
) -> Groups:
    """Group at most MOST_PACKETS packets of one family."""
    hashed = oriented.key[0] * multipliers[0]
    for word, multiplier in zip(oriented.key[1:], multipliers[1:], strict=False):
        hashed += word * multiplier
    leader = leaders(hashed, oriented.key)
    time = packets.time
    earliest, latest = int(time.min()), int(time.max())
    if latest - earliest <= min(idle_ns, active_ns) and earliest // HOUR_NS == latest // HOUR_NS:
        head = leader
        heads = np.flatnonzero(leader == np.arange(len(leader)))
        heads = heads[np.argsort(hashed[heads])]
    else:
        head = _runs(time, leader, idle_ns, active_ns)
        heads = np.flatnonzero(head == np.arange(len(leader)))
        heads = heads[np.lexsort((heads, leader[heads], hashed[heads]))]
    return _sums(packets, oriented, hashed, head, heads, leader[heads] != heads)


def leaders(hashed: NDArray[np.uint64], key: tuple[NDArray[np.uint64], ...]) -> NDArray[np.int64]:
    """(n,) number of the first packet with the same key."""
    leader = np.empty(len(hashed), np.int64)
    bits = min(_BUCKET_BITS, len(hashed).bit_length() + 1)  # few packets: a megabyte would only be mapped
    bucket = np.empty(1 << bits, np.int32)
    pending: NDArray[np.int64] | None = None  # None: everybody, spares a gather
    words = key
    for _ in range(_TRIES):
        numbers = np.arange(len(hashed), dtype=np.int32) if pending is None else pending.astype(np.int32)
        place = (hashed >> np.uint64(64 - bits)).astype(np.int64)
        bucket[place[::-1]] = numbers[::-1]  # of repeated places the last written counts: the first packet
        found = bucket[place]
        same = np.ones(len(found), np.bool_)
        for column, mine in zip(key, words, strict=True):
            same &= column[found] == mine
        if pending is None:
            leader[:] = found
            pending = np.flatnonzero(~same)
        else:
            leader[pending[same]] = found[same]
            pending = pending[~same]
        if not len(pending):
            return leader
        hashed = hashed[~same] * _REHASH
        words = tuple(column[pending] for column in key)
    if pending is not None:
        leader[pending] = _leaders_by_sorting(words, pending)
    return leader


def _leaders_by_sorting(
    words: tuple[NDArray[np.uint64], ...], numbers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The same for those that kept colliding."""
    order = np.lexsort((numbers, *words))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = np.any([column[order][1:] != column[order][:-1] for column in words], axis=0)
    leader = np.empty(len(order), np.int64)
    leader[order] = numbers[order][np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    return leader


def _runs(
    time: NDArray[np.int64], leader: NDArray[np.int64], idle_ns: int, active_ns: int
) -> NDArray[np.int64]:
    """(n,) number of the first packet of each packet's run: silence, the hour and the active timeout cut."""
    order = by_number(leader)
    leader, time = leader[order], time[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (leader[1:] != leader[:-1]) | (np.abs(np.diff(time)) > idle_ns)
    hour = time // HOUR_NS
    begins[1:] |= hour[1:] != hour[:-1]
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    span = np.maximum.reduceat(time, starts) - np.minimum.reduceat(time, starts)
    window = time // active_ns
    begins[1:] |= (span > active_ns)[run[1:]] & (window[1:] != window[:-1])
    head = np.empty(len(order), np.int64)
    head[order] = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    return head


def by_number(leader: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stable order by leader: two radix sorts, which numpy has for 16 bits only."""
    order = np.argsort(leader.astype(np.uint16), kind="stable")
    return order[np.argsort((leader >> 16)[order].astype(np.uint16), kind="stable")]


def _sums(
    packets: Packets,
    oriented: Oriented,
    hashed: NDArray[np.uint64],
    head: NDArray[np.int64],
    heads: NDArray[np.int64],
    follows: NDArray[np.bool_],
) -> Groups:
    count = len(head)
    way = head + oriented.inward * count
    number = np.bincount(way, minlength=2 * count)
    octets = np.bincount(way, weights=packets.octets, minlength=2 * count)  # exact: far below 2**53
    first, last = _period(packets.time, head, heads)
    key = [column[heads] for column in oriented.key]
    if len(key) < KEY_WORDS[packets.family]:
        key.append(np.zeros(len(heads), np.uint64))
    forth, back = senders(oriented, head, heads)
    head_flags = packets.tcp_flags[heads]
    answered = (head_flags & 0x12) == 0x12  # SYN+ACK: the sender is the one who was called
    return Groups(
        hashed[heads],
        tuple(key),
        first,
        last,
        number[heads],
        octets[heads].astype(np.int64),
        number[count + heads],
        octets[count + heads].astype(np.int64),
        _closing(packets.tcp_flags, oriented.inward, head)[heads]
        | has_sent(packets, forth, SENT_FORTH)
        | has_sent(packets, back, SENT_BACK),
        first_macs(packets, key[-2], forth),
        np.where(
            is_undecided(key[-3]),
            first_macs(packets, key[-1], back),
            other_macs(packets, oriented, heads),
        ),
        np.full(len(heads), -1, np.int16) if packets.vlan is None else packets.vlan[heads],
        np.zeros(len(heads), np.uint64) if packets.ap_mac is None else packets.ap_mac[heads],
        oriented.inward[heads] ^ answered,
        follows,
    )


def _period(
    time: NDArray[np.int64], head: NDArray[np.int64], heads: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last instant of each run."""
    if (time[1:] >= time[:-1]).all():
        latest = np.empty(len(time), np.int64)
        latest[head] = time  # of repeated places the last written counts
        return time[heads], latest[heads]
    earliest, latest = time.copy(), time.copy()
    np.minimum.at(earliest, head, time)
    np.maximum.at(latest, head, time)
    return earliest[heads], latest[heads]


def _closing(
    flags: NDArray[np.uint8], inward: NDArray[np.bool_], head: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """(n,) at each run's head: the flags of its packets that end a connection. Few packets have one."""
    closing = np.zeros(len(flags), np.uint8)
    rows = np.flatnonzero(flags & (FIN | RST))
    fin = np.where(inward[rows], FIN_BACK, FIN_FORTH) * (flags[rows] & FIN)
    np.bitwise_or.at(closing, head[rows], fin | np.where(flags[rows] & RST, RESET, np.uint8(0)))
    return closing
