"""Connections that were seen at two places, each with a MAC of its own: which of them are one. Pure.

A mirror may show what a client sends at the client's port and what it gets at a router's uplink, or the
copy of one packet may be missing: one connection is then recorded under two MACs (decision 014). A
connection is *borrowing* if its client sent nothing or was behind a router: its MAC is only where the frame
was on its way. It belongs to the *sending* one of the same ends if within the idle timeout of it exactly
one MAC sent. Nothing here costs more than sorting does, however many MACs and connections share their ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sightings:
    """(n,) connections, each seen under one MAC."""

    ends: I64  # a number for addresses, ports, protocol and source
    mac: U64  # 0: not known
    ap_mac: U64
    first_ns: I64
    last_ns: I64
    ended: Mask  # its end was seen
    sends: Mask  # not borrowing


def clusters(seen: Sightings, idle_ns: int) -> I64:
    """(n,) a number for each cluster: same ends, nowhere a gap longer than `idle_ns`."""
    order = np.lexsort((seen.first_ns, seen.ends))
    segment = _changes(seen.ends[order])
    by_end, rank = _ranked(seen.last_ns)
    latest = _running(rank[order], segment, len(order))
    gap = np.ones(len(order), np.bool_)
    gap[1:] = seen.first_ns[order][1:] - seen.last_ns[by_end[latest[:-1] - 1]] > idle_ns
    gap[1:] |= segment[1:] != segment[:-1]
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(gap) - 1
    return number


def owners(seen: Sightings, idle_ns: int) -> I64:
    """(n,) the one that each belongs to: itself, or the earliest sending one of its connection."""
    owner = np.arange(len(seen.ends))
    sending, borrowing = np.flatnonzero(seen.sends), np.flatnonzero(~seen.sends)
    if not len(sending) or not len(borrowing):
        return owner
    found = _only_mac(seen, sending, borrowing, idle_ns)
    known = found >= 0
    known[known] &= (seen.mac[found[known]] != 0) & (seen.mac[found[known]] != seen.mac[borrowing[known]])
    borrowing, found = borrowing[known], found[known]
    if not len(borrowing):
        return owner
    owner[borrowing] = _nearest(seen, sending, borrowing, found, idle_ns)
    owner[sending] = _bridged(seen, sending, borrowing, owner[borrowing], idle_ns)
    return np.asarray(owner[owner])


def _only_mac(seen: Sightings, sending: I64, borrowing: I64, idle_ns: int) -> I64:
    """(b,) a sending one within the timeout of each borrowing one, or -1 if there is none or several MACs.

    Of those that began in time, in order, the latest end so far and the latest of another MAC are kept.
    """
    count = len(sending)
    ends = np.concatenate([seen.ends[sending], seen.ends[borrowing]])
    time = np.concatenate([seen.first_ns[sending], seen.last_ns[borrowing] + idle_ns])
    order = np.lexsort((np.arange(len(ends)) >= count, time, ends))
    segment = _changes(ends[order])
    by_end, ranks = _ranked(seen.last_ns[sending])
    rank = np.concatenate([ranks, np.zeros(len(borrowing), np.int64)])[order]
    mac = np.concatenate([seen.mac[sending], seen.mac[borrowing]])[order]
    best = _running(rank, segment, count)
    before = np.where(np.diff(segment, prepend=-1) == 0, np.append(0, best[:-1]), 0)
    other = (before > 0) & (mac != seen.mac[sending][by_end[before - 1]])
    second = _running(np.where(other, np.minimum(rank, before), 0), segment, count)
    asks = np.flatnonzero(order >= count)
    which = order[asks] - count
    since = seen.first_ns[borrowing][which] - idle_ns
    ends_of = np.append(np.iinfo(np.int64).min, seen.last_ns[sending][by_end])  # 0: none
    one = (ends_of[best[asks]] >= since) & (ends_of[second[asks]] < since)
    found = np.empty(len(borrowing), np.int64)
    found[which] = np.where(one, sending[by_end[best[asks] - 1]], -1)
    return found


def _nearest(seen: Sightings, sending: I64, borrowing: I64, found: I64, idle_ns: int) -> I64:
    """(b,) of the sending ones with the MAC of `found`, the one that each is nearest in time."""
    rows = np.concatenate([sending, borrowing])
    mac = np.concatenate([seen.mac[sending], seen.mac[found]])
    order = np.lexsort((np.arange(len(rows)) >= len(sending), seen.first_ns[rows], mac, seen.ends[rows]))
    segment = _changes(seen.ends[rows][order], mac[order])
    place = np.arange(len(rows))
    is_sending = order < len(sending)
    asks = place[~is_sending]
    asking = rows[order[asks]]
    earlier = np.maximum.accumulate(np.where(is_sending, place, 0))[asks]
    later = np.minimum.accumulate(np.where(is_sending, place, len(rows) - 1)[::-1])[::-1][asks]
    before, after = rows[order[earlier]], rows[order[later]]
    far = np.iinfo(np.int64).max
    to_before = np.maximum(seen.first_ns[asking] - seen.last_ns[before], 0)
    to_before[~is_sending[earlier] | (segment[earlier] != segment[asks])] = far
    to_after = np.maximum(seen.first_ns[after] - seen.last_ns[asking], 0)
    to_after[~is_sending[later] | (segment[later] != segment[asks])] = far
    which = order[asks] - len(sending)
    near = np.empty(len(borrowing), np.int64)
    near[which] = np.where(to_before <= to_after, before, after)
    # One that began earlier may reach further than both: the client roamed meanwhile.
    lost = which[np.minimum(to_before, to_after) > idle_ns]
    near[lost] = found[lost]
    return near


def _bridged(seen: Sightings, sending: I64, borrowing: I64, near: I64, idle_ns: int) -> I64:
    """(s,) the earliest sending one of each: those apart by a silence that a borrowing one fills are one."""
    reach, ended = seen.last_ns.copy(), seen.ended.copy()
    np.maximum.at(reach, near, seen.last_ns[borrowing])
    np.logical_or.at(ended, near, seen.ended[borrowing])
    order = sending[np.lexsort((seen.first_ns[sending], seen.mac[sending], seen.ends[sending]))]
    now, before = order[1:], order[:-1]
    follows = (seen.ends[now] == seen.ends[before]) & (seen.mac[now] == seen.mac[before])
    follows &= (seen.ap_mac[now] == seen.ap_mac[before]) & ~ended[before]
    follows &= (reach[before] > seen.last_ns[before]) & (seen.first_ns[now] - reach[before] <= idle_ns)
    starts = np.append(True, ~follows)
    first = np.arange(len(seen.ends))
    first[order] = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    return np.asarray(first[sending])


def _changes(*columns: NDArray[np.generic]) -> I64:
    """(n,) a number from 0 that rises wherever a column changes."""
    fresh = np.zeros(len(columns[0]), np.bool_)
    for column in columns:
        fresh[1:] |= column[1:] != column[:-1]
    return np.cumsum(fresh)


def _ranked(values: I64) -> tuple[I64, I64]:
    """The order of values, and (n,) the rank of each from 1."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(1, len(values) + 1)
    return order, rank


def _running(rank: I64, segment: I64, most: int) -> I64:
    """(n,) the greatest rank so far in its segment; ranks are 0 to `most`."""
    apart = segment * (most + 1)
    return np.asarray(np.maximum.accumulate(rank + apart) - apart)
