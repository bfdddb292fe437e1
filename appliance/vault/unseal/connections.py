"""Parts become connections again: a stream of parts in, hour after hour, connections out when they are over.

Pure. A part is one row as written; parts of one key (client MAC, address and port, peer address and
port, protocol, source) follow one another. Rule 1: the same part is found more than once, in a journal
every second and in a segment, and counts once. Rule 2: a part continues the one before unless that one
saw the end of its flow, more than the idle timeout lies between, or the client has changed its AP: each
row says one AP, and roaming is not hidden. Rule 3: what was seen at two places under two MACs is one (see
`places`). What is held from one hour to the next is only what may still go on, or belong to what does.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.instants import MS
from appliance.model.reasons import EndReason
from appliance.vault.fingerprints import mixed
from appliance.vault.unseal.places import Sightings, clusters, owners

IDLE_TIMEOUT_NS = 60_000_000_000
ROWS_AT_ONCE = 65_536
WAITING_LIMIT = 1 << 18
"""Connections that are over and wait for another that may be theirs; beyond, they are given as they stand."""
COUNTERS = ("packets_out", "bytes_out", "packets_in", "bytes_in")

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]


def once(parts: pa.Table) -> pa.Table:
    """Rule 1: every part once, sorted by key and start.

    Rows of one key that start in the same millisecond are one part, or several if they ended with
    different counts. A row still open (end_reason 0) counts only if no other has as many packets.
    """
    if not len(parts):
        return parts
    whole = parts.combine_chunks()
    return whole.take(_once(_Parts(whole))[0])


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
        parts_seen = _Parts(table)
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
        parts = _Parts(rest)
        chains = self._chained(parts)
        chains = chains.joined(self._owned(parts, chains)[0])
        return chains.of(rest, np.arange(len(chains.row)))

    def _owned(self, parts: "_Parts", chains: "_Chains") -> tuple[I64, I64]:
        """Rule 3: (n,) the chain each one is part of, and until when it may concern another."""
        owner, reach_ns = np.arange(len(chains.row)), chains.last_ns.copy()
        sends = (chains.counts[0] > 0) & ~chains.behind_router
        ends = _ends(parts.key)
        hashes = _hashed(tuple(column[chains.row] for column in ends))
        borrowed = np.isin(hashes, hashes[~sends]) if not sends.all() else ~sends
        which = np.flatnonzero(borrowed & np.isin(hashes, hashes[sends & borrowed]))
        if not len(which):
            return owner, reach_ns
        row = chains.row[which]
        seen = Sightings(
            _numbered(tuple(column[row] for column in ends), hashes[which]),
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

    def _chained(self, parts: "_Parts") -> "_Chains":
        """Rule 2."""
        order, key = _once(parts)
        first, last, ended = parts.first_ns[order], parts.last_ns[order], parts.end_reason[order]
        follows = np.diff(key, prepend=-1) == 0
        follows[1:] &= ended[:-1] != EndReason.END_OF_FLOW
        follows[1:] &= first[1:] - last[:-1] <= self._idle_ns
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


class _Parts:
    """The columns of a table that merging looks at, as numbers. A hash of the key may collide."""

    def __init__(self, table: pa.Table) -> None:
        self.first_ns, self.last_ns = instants(table, "first_seen"), instants(table, "last_seen")
        self.counts = tuple(np.asarray(table[name].to_numpy(), np.uint64) for name in COUNTERS)
        self.end_reason = np.asarray(pc.fill_null(table["end_reason"], 0).to_numpy(), np.uint8)
        self.ap_mac = mac_numbers(table["ap_mac"])
        self.behind_router = table["behind_router"].to_numpy()
        self.client_mac = mac_numbers(table["client_mac"])
        self.key = _key_columns(table)
        self._hash = _hashed(self.key)

    def sorted(self) -> tuple[I64, I64]:
        """The order that brings parts of one key together, by start, and the number of each key."""
        order = np.lexsort((self.first_ns, self._hash))
        same = _repeats(order, self.key)
        if (_repeats(order, (self._hash,)) & ~same).any():
            order = np.lexsort((self.first_ns, *self.key))
            same = _repeats(order, self.key)
        return order, np.cumsum(~same)


def _repeats(order: I64, columns: Iterable[NDArray[np.generic]]) -> Mask:
    """(n,) whether a row in this order equals the row before it in all columns."""
    same = np.ones(len(order), np.bool_)
    same[:1] = False
    for column in columns:
        held = column[order]
        same[1:] &= held[1:] == held[:-1]
    return same


def _once(parts: _Parts) -> tuple[I64, I64]:
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


def _stays(parts: _Parts, rows: I64, group: I64) -> Mask:
    """(n,) which rows count, of groups that each have one key and one start."""
    packets, ended = parts.counts[0][rows] + parts.counts[2][rows], parts.end_reason[rows]
    counts = [count[rows] for count in parts.counts]
    still_open = ended == 0
    inner = np.lexsort((parts.last_ns[rows], *counts, ended, packets, still_open, group))
    copy = _repeats(inner, (group, ended, *counts))
    starts = np.flatnonzero(np.diff(group[inner], prepend=-1))
    closed = np.maximum.reduceat(np.where(still_open, 0, packets + np.uint64(1))[inner], starts)
    most_closed = np.repeat(closed, np.diff(np.append(starts, len(inner))))
    last_of_group = np.append(np.diff(group[inner]) > 0, True)
    open_stays = last_of_group & (packets[inner] + np.uint64(1) > most_closed)
    stays = np.empty(len(rows), np.bool_)
    stays[inner] = np.where(still_open[inner], open_stays, ~copy)
    return stays


def ends_hashes(parts: pa.Table) -> U64:
    """(n,) a hash of each part's key without the MAC, the same in every table."""
    return _hashed(_ends(_key_columns(parts)))


def instants(table: pa.Table, name: str) -> I64:
    """(n,) UTC nanoseconds of a column of instants."""
    numbers: I64 = _whole(table[name]).view(pa.int64()).to_numpy()
    return numbers


def halves(column: pa.ChunkedArray) -> tuple[U64, U64]:
    """(n,) two numbers for each address of 16 bytes: equal if the addresses are, in no useful order."""
    plain = _whole(column)
    if not len(plain):
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    pair = np.frombuffer(plain.buffers()[1], "<u8", 2 * len(plain), plain.offset * 16).reshape(-1, 2)
    return pair[:, 0], pair[:, 1]


def mac_numbers(column: pa.ChunkedArray) -> U64:
    """(n,) the number of each MAC (see `model.addresses`), 0 where null."""
    plain = _whole(column)
    wide = np.zeros((len(plain), 8), np.uint8)
    if not len(plain) or plain.null_count == len(plain):
        return np.zeros(len(plain), np.uint64)
    wide[:, 2:] = np.frombuffer(plain.buffers()[1], np.uint8, 6 * len(plain), plain.offset * 6).reshape(-1, 6)
    numbers: U64 = wide.view(">u8").reshape(-1).astype(np.uint64)
    if plain.null_count:
        numbers[plain.is_null().to_numpy(zero_copy_only=False)] = 0
    return numbers


def _key_columns(parts: pa.Table) -> tuple[U64, ...]:
    def port(name: str) -> U64:
        return np.asarray(pc.fill_null(parts[name].cast(pa.uint32()), 1 << 16), np.uint64)

    ends = port("client_port") << np.uint64(32) | port("peer_port")
    protocol = np.asarray(parts["protocol"], np.uint64) << np.uint64(48)
    return (
        *halves(parts["client_ip"]),
        *halves(parts["peer_ip"]),
        mac_numbers(parts["client_mac"]) | protocol,
        ends,
        _source_numbers(parts["source"]),
    )


def _ends(key: tuple[U64, ...]) -> tuple[U64, ...]:
    """The columns of a key without the client's MAC."""
    return (*key[:4], key[4] >> np.uint64(48), *key[5:])


def _numbered(columns: tuple[U64, ...], hashes: U64) -> I64:
    """(n,) a number for each distinct row of some columns. Their hash may collide."""
    order = np.argsort(hashes)
    same = _repeats(order, columns)
    if (_repeats(order, (hashes,)) & ~same).any():
        order = np.lexsort(columns)
        same = _repeats(order, columns)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(~same)
    return number


def _hashed(columns: tuple[U64, ...]) -> U64:
    hashes = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        hashes = mixed(hashes, column)
    return hashes


def _source_numbers(column: pa.ChunkedArray) -> U64:
    """(n,) a number for each name, the same in every table."""
    encoded = _whole(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    numbers: U64 = np.frombuffer(digests, np.uint64)[encoded.indices.to_numpy()]
    return numbers


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
