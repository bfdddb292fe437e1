"""Columns of parts as numbers, to compare and sort by: what merging connections looks at. Pure.

Numbers are the same in every table, so that parts of two hours can be compared; hashes may collide and are
only ever used to look for what is then compared.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.vault.fingerprints import mixed

COUNTERS = ("packets_out", "bytes_out", "packets_in", "bytes_in")

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]


class Parts:
    """The columns of a table that merging looks at, as numbers. A hash of the key may collide."""

    def __init__(self, table: pa.Table) -> None:
        self.first_ns, self.last_ns = instants(table, "first_seen"), instants(table, "last_seen")
        self.counts = tuple(np.asarray(table[name].to_numpy(), np.uint64) for name in COUNTERS)
        self.end_reason = np.asarray(pc.fill_null(table["end_reason"], 0).to_numpy(), np.uint8)
        self.ap_mac = mac_numbers(table["ap_mac"])
        self.behind_router = table["behind_router"].to_numpy()
        self.client_mac = mac_numbers(table["client_mac"])
        self.key = _key_columns(table)
        self._hash = hashed(self.key)

    def sorted(self) -> tuple[I64, I64]:
        """The order that brings parts of one key together, by start, and the number of each key."""
        order = np.lexsort((self.first_ns, self._hash))
        same = repeats(order, self.key)
        if (repeats(order, (self._hash,)) & ~same).any():
            order = np.lexsort((self.first_ns, *self.key))
            same = repeats(order, self.key)
        return order, np.cumsum(~same)


def repeats(order: I64, columns: Iterable[NDArray[np.generic]]) -> Mask:
    """(n,) whether a row in this order equals the row before it in all columns."""
    same = np.ones(len(order), np.bool_)
    same[:1] = False
    for column in columns:
        held = column[order]
        same[1:] &= held[1:] == held[:-1]
    return same


def ends_hashes(parts: pa.Table) -> U64:
    """(n,) a hash of each part's key without the MAC, the same in every table."""
    return hashed(ends(_key_columns(parts)))


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

    ports = port("client_port") << np.uint64(32) | port("peer_port")
    protocol = np.asarray(parts["protocol"], np.uint64) << np.uint64(48)
    return (
        *halves(parts["client_ip"]),
        *halves(parts["peer_ip"]),
        mac_numbers(parts["client_mac"]) | protocol,
        ports,
        _source_numbers(parts["source"]),
    )


def ends(key: tuple[U64, ...]) -> tuple[U64, ...]:
    """The columns of a key without the client's MAC."""
    return (*key[:4], key[4] >> np.uint64(48), *key[5:])


def numbered(columns: tuple[U64, ...], hashes: U64) -> I64:
    """(n,) a number for each distinct row of some columns. Their hash may collide."""
    order = np.argsort(hashes)
    same = repeats(order, columns)
    if (repeats(order, (hashes,)) & ~same).any():
        order = np.lexsort(columns)
        same = repeats(order, columns)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(~same)
    return number


def hashed(columns: tuple[U64, ...]) -> U64:
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
