"""Parts become connections again: a stream of parts in, hour after hour, connections out when they are over.

Pure. A part is one row as written; parts of one key (client MAC, address and port, peer address and
port, protocol, source) follow one another. Rule 1: the same part is found more than once, in a journal
every second and in a segment, and counts once. Rule 2: a part continues the one before unless that one
saw the end of its flow, more than the idle timeout lies between, or the client has changed its AP: each
row says one AP, and roaming is not hidden. Rule 3: what was seen at two places under two MACs is one (see
`places`). What is held from one hour to the next is only what may still go on, or belong to what does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.model.instants import MS
from appliance.model.reasons import EndReason
from appliance.vault.unseal.parts import COUNTERS, I64, U64, Mask, Parts, ends, hashed, numbered, repeats
from appliance.vault.unseal.places import Sightings, clusters, owners

IDLE_TIMEOUT_NS = 60_000_000_000
ROWS_AT_ONCE = 65_536
WAITING_LIMIT = 1 << 18
"""Connections that are over and wait for another that may be theirs; beyond, they are given as they stand."""


def once(parts: pa.Table) -> pa.Table:
    """Rule 1: every part once, sorted by key and start.

    Rows of one key that start in the same millisecond are one part, or several if they ended with
    different counts. A row still open (end_reason 0) counts only if no other has as many packets.
    """
    if not len(parts):
        return parts
    whole = parts.combine_chunks()
    return whole.take(_once(Parts(whole))[0])


class Connections:
    """Merges parts that come in order of time. Tables have at least the columns of TRAFFIC_SCHEMA."""

    def __init__(self, idle_timeout_ns: int = IDLE_TIMEOUT_NS) -> None:
        self._idle_ns = idle_timeout_ns
        self.open: pa.Table | None = None
        """Connections that a later part may continue."""

    def add(self, parts: pa.Table, until_ns: int) -> Iterator[pa.Table]:
        """Take all parts that begin before `until_ns` and have not been given yet.

        Gives the connections that are over, sorted by their start, some thousands at a time; columns that
        cannot be summed are those of the first part, of the MAC that sent.
        """
        # One chunk a column: rows are taken from it in an order of their own.
        table = (parts if self.open is None else pa.concat_tables([self.open, parts])).combine_chunks()
        self.open = table.slice(0, 0)
        if not len(table):
            return
        parts_seen = Parts(table)
        chains = self._chained(parts_seen)
        owner, reach_ns = self._owned(parts_seen, chains)
        over = reach_ns < until_ns - self._idle_ns
        waiting = ~over & (chains.last_ns < until_ns - self._idle_ns)
        if np.count_nonzero(waiting) > WAITING_LIMIT:
            over |= waiting
            owner = np.where(over == over[owner], owner, np.arange(len(owner)))
        self.open = chains.of(table, np.flatnonzero(~over))
        chains, owner = chains.take(np.flatnonzero(over)), (np.cumsum(over) - 1)[owner[over]]
        chains = chains.joined(owner)
        which = np.argsort(chains.first_ns, kind="stable")
        for start in range(0, len(which), ROWS_AT_ONCE):
            yield chains.of(table, which[start : start + ROWS_AT_ONCE])

    def rest(self) -> pa.Table | None:
        """What was still open at the end."""
        rest, self.open = self.open, None
        if rest is None or not len(rest):
            return rest
        rest = rest.combine_chunks()
        parts = Parts(rest)
        chains = self._chained(parts)
        chains = chains.joined(self._owned(parts, chains)[0])
        return chains.of(rest, np.arange(len(chains.row)))

    def _owned(self, parts: Parts, chains: "_Chains") -> tuple[I64, I64]:
        """Rule 3: (n,) the chain each one is part of, and until when it may concern another."""
        owner, reach_ns = np.arange(len(chains.row)), chains.last_ns.copy()
        sends = (chains.counts[0] > 0) & ~chains.behind_router
        key = ends(parts.key)
        hashes = hashed(tuple(column[chains.row] for column in key))
        borrowed = np.isin(hashes, hashes[~sends]) if not sends.all() else ~sends
        # Also where nobody sent yet: one of them may, and then the others are its own.
        at_ends = np.sort(hashes[borrowed])
        which = np.flatnonzero(borrowed & np.isin(hashes, at_ends[1:][at_ends[1:] == at_ends[:-1]]))
        if not len(which):
            return owner, reach_ns
        row = chains.row[which]
        seen = Sightings(
            numbered(tuple(column[row] for column in key), hashes[which]),
            parts.client_mac[row],
            parts.ap_mac[row],
            chains.first_ns[which],
            chains.last_ns[which],
            chains.end_reason[which] == EndReason.END_OF_FLOW,
            sends[which],
        )
        owner[which] = which[owners(seen, self._idle_ns)]
        cluster = clusters(seen, self._idle_ns)
        reach = np.zeros(len(which), np.int64)
        np.maximum.at(reach, cluster, seen.last_ns)
        reach_ns[which] = reach[cluster]
        return owner, reach_ns

    def _chained(self, parts: Parts) -> "_Chains":
        """Rule 2."""
        order, key = _once(parts)
        first, last, ended = parts.first_ns[order], parts.last_ns[order], parts.end_reason[order]
        follows = np.diff(key, prepend=-1) == 0
        follows[1:] &= ended[:-1] != EndReason.END_OF_FLOW
        follows[1:] &= first[1:] - _reached(last, key)[:-1] <= self._idle_ns
        follows[1:] &= parts.ap_mac[order][1:] == parts.ap_mac[order][:-1]
        starts = np.flatnonzero(~follows)
        ends = np.append(starts[1:], len(order)) - 1
        return _Chains(
            order[starts],
            first[starts],
            np.maximum.reduceat(last, starts),
            ended[ends],
            tuple(np.add.reduceat(count[order], starts) for count in parts.counts),
            np.logical_or.reduceat(parts.behind_router[order], starts),
        )


@dataclass(frozen=True)
class _Chains:
    """(n,) for each connection: the row of its first part, and what its parts come to together."""

    row: I64
    first_ns: I64
    last_ns: I64
    end_reason: NDArray[np.uint8]
    counts: tuple[U64, ...]
    behind_router: Mask  # of any part: a hop limit is looked at when a part begins

    def take(self, which: I64) -> "_Chains":
        """Some of them."""
        return _Chains(
            self.row[which],
            self.first_ns[which],
            self.last_ns[which],
            self.end_reason[which],
            tuple(count[which] for count in self.counts),
            self.behind_router[which],
        )

    def joined(self, owner: I64) -> "_Chains":
        """One for each owner, with all that (n,) `owner` says is its own."""
        if (owner == np.arange(len(owner))).all():
            return self
        order = np.lexsort((self.last_ns, self.end_reason == EndReason.END_OF_FLOW, owner))
        starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
        latest = order[np.append(starts[1:], len(order)) - 1]  # if an end was seen, one that saw it
        return _Chains(
            self.row[owner[order[starts]]],
            np.minimum.reduceat(self.first_ns[order], starts),
            np.maximum.reduceat(self.last_ns[order], starts),
            self.end_reason[latest],
            tuple(np.add.reduceat(count[order], starts) for count in self.counts),
            self.behind_router[owner[order[starts]]],
        )

    def of(self, table: pa.Table, which: I64) -> pa.Table:
        """Some connections as rows of the table their parts stand in."""
        taken = table.take(self.row[which])
        columns = {
            "first_seen": pa.array(self.first_ns[which]).view(pa.timestamp("ns", "UTC")),
            "last_seen": pa.array(self.last_ns[which]).view(pa.timestamp("ns", "UTC")),
            "end_reason": pa.array(self.end_reason[which]),
            "behind_router": pa.array(self.behind_router[which]),
        }
        columns |= {name: pa.array(count[which]) for name, count in zip(COUNTERS, self.counts, strict=True)}
        return pa.Table.from_arrays(
            [columns.get(name, taken[name]) for name in table.column_names], schema=table.schema
        )


def _reached(last: I64, key: I64) -> I64:
    """(n,) the latest end so far of each key; parts that a feed states of each direction may overlap."""
    if not ((np.diff(last) < 0) & (np.diff(key) == 0)).any():
        return last
    by_end = np.argsort(last, kind="stable")
    rank = np.empty(len(last), np.int64)
    rank[by_end] = np.arange(len(last))
    apart = key * len(last)
    return last[by_end[np.maximum.accumulate(rank + apart) - apart]]


def _once(parts: Parts) -> tuple[I64, I64]:
    """Rule 1: the rows that count, by key and start, and the number of each one's key."""
    order, key = parts.sorted()
    started = parts.first_ns[order] // MS
    again = (np.diff(key, prepend=-1) == 0) & (np.diff(started, prepend=-1) == 0)
    if not again.any():
        return order, key
    alike = again | np.append(again[1:], False)  # only these need a closer look
    stays = np.ones(len(order), np.bool_)
    stays[alike] = _stays(parts, order[alike], np.cumsum(~again)[alike])
    return order[stays], key[stays]


def _stays(parts: Parts, rows: I64, group: I64) -> Mask:
    """(n,) which rows count, of groups that each have one key and one start."""
    packets, ended = parts.counts[0][rows] + parts.counts[2][rows], parts.end_reason[rows]
    counts = [count[rows] for count in parts.counts]
    still_open = ended == 0
    inner = np.lexsort((parts.last_ns[rows], *counts, ended, packets, still_open, group))
    copy = repeats(inner, (group, ended, *counts))
    starts = np.flatnonzero(np.diff(group[inner], prepend=-1))
    closed = np.maximum.reduceat(np.where(still_open, 0, packets + np.uint64(1))[inner], starts)
    most_closed = np.repeat(closed, np.diff(np.append(starts, len(inner))))
    last_of_group = np.append(np.diff(group[inner]) > 0, True)
    open_stays = last_of_group & (packets[inner] + np.uint64(1) > most_closed)
    stays = np.empty(len(rows), np.bool_)
    stays[inner] = np.where(still_open[inner], open_stays, ~copy)
    return stays
