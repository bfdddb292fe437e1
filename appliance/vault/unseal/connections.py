"""Parts become connections again: a stream of parts in, hour after hour, connections out when they are over.

Pure. A part is one row as written; parts of one key (client MAC, address and port, peer address and
port, protocol, source) follow one another. Rule 1: the same part is found more than once, in a journal
every second and in a segment, and counts once. Rule 2: a part continues the one before unless that one
saw the end of its flow or more than the idle timeout lies between. What is held from one hour to the
next is only what may still go on.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.instants import MS
from appliance.model.reasons import EndReason
from appliance.vault.fingerprints import mixed

IDLE_TIMEOUT_NS = 60_000_000_000
COUNTERS = ("packets_out", "bytes_out", "packets_in", "bytes_in")

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Keys:
    """What makes parts belong together: (n,) hashes, and the columns they hash (a hash may collide)."""

    hashes: U64
    columns: tuple[U64, ...]

    def order(self, *then: I64) -> I64:
        """The order that brings rows of one key together, and sorts them by the last of `then` first."""
        order = np.lexsort((*then, self.hashes))
        if (self._same(order, (self.hashes,)) & ~self._same(order, self.columns)).any():
            order = np.lexsort((*then, *self.columns))
        return order

    def same(self, order: I64) -> Mask:
        """(n,) whether a row in this order has the key of the row before it."""
        return self._same(order, self.columns)

    @staticmethod
    def _same(order: I64, columns: tuple[U64, ...]) -> Mask:
        same = np.ones(len(order), np.bool_)
        same[:1] = False
        for column in columns:
            held = column[order]
            same[1:] &= held[1:] == held[:-1]
        return same


def key_hashes(parts: pa.Table) -> U64:
    """(n,) a hash of each part's key, the same in every table."""
    return _keys(parts).hashes


def once(parts: pa.Table) -> pa.Table:
    """Rule 1: every part once, sorted by key and start.

    Rows of one key that start in the same millisecond are one part, or several if they ended with
    different counts. A row still open (end_reason 0) counts only if no other has as many packets.
    """
    if not len(parts):
        return parts
    keys, first = _keys(parts), instants(parts, "first_seen")
    order = keys.order(first)
    again = keys.same(order)
    started = first[order] // MS
    again[1:] &= started[1:] == started[:-1]
    if not again.any():
        return parts.take(order)
    return parts.take(order[_kept(parts, order, again)])


def _kept(parts: pa.Table, order: I64, again: Mask) -> Mask:
    """Which rows stay; `again` says that a row in this order starts as the row before it."""
    group = np.cumsum(~again)
    counts = [parts[name].to_numpy()[order] for name in COUNTERS]
    ended = pc.fill_null(parts["end_reason"], 0).to_numpy()[order]
    packets = counts[0] + counts[2]
    inner = np.lexsort((instants(parts, "last_seen")[order], *counts, ended, packets, ended == 0, group))
    group, ended, packets = group[inner], ended[inner], packets[inner]
    still_open = ended == 0
    repeats = np.ones(len(inner), np.bool_)
    for values in (group, ended, *(count[inner] for count in counts)):
        repeats[1:] &= values[1:] == values[:-1]
    repeats[0] = False
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    most_closed = np.maximum.reduceat(np.where(still_open, 0, packets + 1), starts)[group - group[0]]
    last_of_group = np.diff(group, append=group[-1] + 1) > 0
    stays = np.where(still_open, last_of_group & (packets + 1 > most_closed), ~repeats)
    kept = np.zeros(len(order), np.bool_)
    kept[inner] = stays
    return kept


class Connections:
    """Merges parts that come in order of time. Tables have at least the columns of TRAFFIC_SCHEMA."""

    def __init__(self, idle_timeout_ns: int = IDLE_TIMEOUT_NS) -> None:
        self._idle_ns = idle_timeout_ns
        self.open: pa.Table | None = None
        """Connections that a later part may continue."""

    def add(self, parts: pa.Table, until_ns: int) -> pa.Table:
        """Take all parts that begin before `until_ns` and have not been given yet.

        Returns the connections that are over, sorted by their start; columns that cannot be summed are
        those of the first part.
        """
        rows = once(parts)
        if self.open is not None:
            rows = pa.concat_tables([self.open, rows], promote_options="none")
        merged = self._merged(rows)
        ended = pc.fill_null(merged["end_reason"], 0).to_numpy() == EndReason.END_OF_FLOW
        over = ended | (instants(merged, "last_seen") < until_ns - self._idle_ns)
        self.open = merged.take(np.flatnonzero(~over))
        which = np.flatnonzero(over)
        return merged.take(which[np.argsort(instants(merged, "first_seen")[which], kind="stable")])

    def rest(self) -> pa.Table | None:
        """What was still open at the end."""
        rest, self.open = self.open, None
        return rest

    def _merged(self, rows: pa.Table) -> pa.Table:
        if not len(rows):
            return rows
        keys, first, last = _keys(rows), instants(rows, "first_seen"), instants(rows, "last_seen")
        order = keys.order(first)
        ended = pc.fill_null(rows["end_reason"], 0).to_numpy()[order]
        follows = keys.same(order)
        follows[1:] &= ended[:-1] != EndReason.END_OF_FLOW
        follows[1:] &= first[order][1:] - last[order][:-1] <= self._idle_ns
        starts = np.flatnonzero(~follows)
        merged = rows.take(order[starts])
        ends = np.append(starts[1:], len(order)) - 1
        last_seen = np.maximum.reduceat(last[order], starts)
        merged = _replaced(merged, "last_seen", pa.array(last_seen).view(pa.timestamp("ns", "UTC")))
        merged = _replaced(merged, "end_reason", pa.array(ended[ends], pa.uint8()))
        for name in COUNTERS:
            sums = np.add.reduceat(rows[name].to_numpy()[order], starts)
            merged = _replaced(merged, name, pa.array(sums))
        return merged


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


def _keys(parts: pa.Table) -> _Keys:
    def port(name: str) -> U64:
        return np.asarray(pc.fill_null(parts[name].cast(pa.uint32()), 1 << 16), np.uint64)

    columns = (
        *halves(parts["client_ip"]),
        *halves(parts["peer_ip"]),
        mac_numbers(parts["client_mac"]),
        port("client_port") << np.uint64(32) | port("peer_port"),
        np.asarray(parts["protocol"], np.uint64),
        _source_numbers(parts["source"]),
    )
    hashes = np.zeros(len(parts), np.uint64)
    for column in columns:
        hashes = mixed(hashes, column)
    return _Keys(hashes, columns)


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


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), table.schema.field(name), values)
