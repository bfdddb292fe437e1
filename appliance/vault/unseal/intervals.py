"""Parts of bindings become intervals again. Pure.

Parts of the same address, MAC, evidence, access point, SSID, user and session that overlap or lie within
15 minutes of each other are one interval, unless the first ended for a stated reason: a session's stop, a
lease's end, another holder. Translations are never bridged: a port goes to the next client in a moment.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.instants import MINUTE_NS, MS
from appliance.model.reasons import EVIDENCE_NAMES, EndReason, Evidence
from appliance.vault.unseal.parts import I64, U64, Mask, halves, instants, mac_numbers

GAP_NS = 15 * MINUTE_NS
_NO_GAP_MS = 1  # a part ends a nanosecond before the hour in which the next begins

_RANKS = {name: int(evidence) for evidence, name in EVIDENCE_NAMES.items()}
_PORTS = ("nat_port", "nat_port_last", "port", "peer_port")


def intervals(parts: pa.Table) -> pa.Table:
    """Parts of bindings (BINDING_SCHEMA, any order, repeats allowed) to intervals, by holder and start."""
    if not len(parts):
        return parts
    parts = parts.combine_chunks()
    begin, until = instants(parts, "from"), instants(parts, "until")
    rank = ranks(parts)
    columns = (*numbers_of(parts["ip"]), mac_numbers(parts["mac"]), rank, *_translation(parts))
    order = _settled(parts, begin, columns, np.lexsort((begin, *columns)))
    fresh = _differ((*columns, mac_numbers(parts["ap_mac"]), *map(codes, _texts(parts))), order)
    # The latest end so far of each holder, as one running maximum: holders are set apart by an offset.
    reach = until[order] // MS - int(begin.min()) // MS
    apart = (np.cumsum(fresh) - 1) * (int(reach.max()) + 1)
    latest = np.maximum.accumulate(reach + apart) - apart
    gap = begin[order][1:] // MS - int(begin.min()) // MS - latest[:-1]
    ended = pc.fill_null(parts["end_reason"], 0).to_numpy()[order][:-1] == EndReason.END_OF_FLOW
    bridged = ~ended & (rank[order][1:] != Evidence.NAT)
    fresh[1:] |= gap > np.where(bridged, GAP_NS // MS, _NO_GAP_MS)
    starts = np.flatnonzero(fresh)
    found = parts.take(order[starts])
    ends = np.maximum.reduceat(until[order], starts)
    found = _with(found, "until", pa.array(ends).view(pa.timestamp("ns", "UTC")))
    for name in ("bytes_out", "bytes_in"):
        if parts[name].null_count < len(parts):
            most = np.maximum.reduceat(pc.fill_null(parts[name], 0).to_numpy()[order], starts)
            counted = np.logical_or.reduceat(parts[name].is_valid().to_numpy()[order], starts)
            found = _with(found, name, pa.array(most, pa.uint64(), mask=~counted))
    return found


def ranks(parts: pa.Table) -> I64:
    """(n,) the rank of each one's evidence."""
    evidence = whole(parts["evidence"]).dictionary_encode()
    known = np.array([_RANKS.get(name, 0) for name in evidence.dictionary.to_pylist()], np.int64)
    return np.asarray(known[evidence.indices.to_numpy()])


def codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """(n,) a number for each text, -1 for none; the same in this column only."""
    if column.null_count == len(column):
        return np.full(len(column), -1, np.int64)
    encoded = whole(column).dictionary_encode()
    return np.asarray(pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy())


def numbers_of(column: pa.ChunkedArray) -> tuple[U64, U64]:
    """(n,) two numbers for each address, 0 and 0 where there is none."""
    if column.null_count == len(column):
        return np.zeros(len(column), np.uint64), np.zeros(len(column), np.uint64)
    hi, lo = halves(column)
    if column.null_count:
        unknown = whole(column).is_null().to_numpy(zero_copy_only=False)
        hi, lo = np.where(unknown, 0, hi), np.where(unknown, 0, lo)
    return hi, lo


def numbers(table: pa.Table, name: str) -> I64:
    """(n,) small numbers, 0 where there is none."""
    if table[name].null_count == len(table):
        return np.zeros(len(table), np.int64)
    return np.asarray(pc.fill_null(table[name].cast(pa.int64()), 0).to_numpy())


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    together = column.combine_chunks()
    return together.chunk(0) if isinstance(together, pa.ChunkedArray) else together


def _translation(parts: pa.Table) -> list[NDArray[np.generic]]:
    """What tells one translation from another; nothing where there is none."""
    if parts["nat_ip"].null_count == len(parts):
        return []
    columns: list[NDArray[np.generic]] = [*numbers_of(parts["nat_ip"]), *numbers_of(parts["peer_ip"])]
    return [*columns, *(numbers(parts, name) for name in (*_PORTS, "protocol"))]


def _texts(parts: pa.Table) -> list[pa.ChunkedArray]:
    said = (parts[name] for name in ("ssid", "user", "session"))
    return [column for column in said if column.null_count < len(parts)]


def _differ(columns: Sequence[NDArray[np.generic]], order: I64) -> Mask:
    """(n,) whether a row in this order differs from the one before it."""
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = np.logical_or.reduce([held[order][1:] != held[order][:-1] for held in columns])
    return fresh


def _settled(parts: pa.Table, begin: I64, columns: Sequence[NDArray[np.generic]], order: I64) -> I64:
    """The order without rows still open where the same part was closed later: a release ends a lease."""
    part = np.cumsum(_differ((*columns, begin), order)) - 1
    closed = pc.fill_null(parts["end_reason"], 0).to_numpy()[order] != 0
    settled = np.zeros(part[-1] + 1, np.bool_)
    settled[part[closed]] = True
    return np.asarray(order[closed | ~settled[part]])


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), table.schema.field(name), values)
