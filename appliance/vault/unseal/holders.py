"""Who held an address: parts of bindings become intervals again, and intervals are joined to traffic. Pure.

Parts of the same address, MAC, evidence and AP that overlap or lie within 15 minutes of each other are one
interval. A traffic row's evidence is the best by which its own MAC held its address when it began;
every other MAC that claimed the address at that instant is named beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.model.addresses import mac_text
from appliance.model.instants import MINUTE_NS, MS
from appliance.model.reasons import EVIDENCE_NAMES
from appliance.model.schemas import TRAFFIC_SCHEMA
from appliance.vault.fingerprints import mixed
from appliance.vault.unseal.parts import halves, instants, mac_numbers

GAP_NS = 15 * MINUTE_NS

JOINED_SCHEMA = pa.schema(
    [*TRAFFIC_SCHEMA] + [pa.field(name, pa.string()) for name in ("ssid", "user", "evidence", "other_macs")]
)
"""What a search answers: the traffic record, then what is known of who held the client's address."""

_RANKS = {name: int(evidence) for evidence, name in EVIDENCE_NAMES.items()}

I64 = NDArray[np.int64]


def intervals(parts: pa.Table) -> pa.Table:
    """Parts of bindings (BINDING_SCHEMA, any order, repeats allowed) to intervals, by holder and start."""
    if not len(parts):
        return parts
    begin, until = instants(parts, "from"), instants(parts, "until")
    columns = (*halves(parts["ip"]), mac_numbers(parts["mac"]), _ranks(parts))
    order = _settled(parts, begin, columns, np.lexsort((begin, *columns)))
    fresh = _differ((*columns, mac_numbers(parts["ap_mac"])), order)
    # The latest end so far of each holder, as one running maximum: holders are set apart by an offset.
    reach = until[order] // MS - int(begin.min()) // MS
    apart = (np.cumsum(fresh) - 1) * (int(reach.max()) + 1)
    latest = np.maximum.accumulate(reach + apart) - apart
    gap = begin[order][1:] // MS - int(begin.min()) // MS - latest[:-1]
    fresh[1:] |= gap > GAP_NS // MS
    starts = np.flatnonzero(fresh)
    found = parts.take(order[starts])
    ends = np.maximum.reduceat(until[order], starts)
    at = parts.column_names.index("until")
    return found.set_column(at, parts.schema.field("until"), pa.array(ends).view(pa.timestamp("ns", "UTC")))


def _ranks(parts: pa.Table) -> I64:
    evidence = parts["evidence"].combine_chunks().dictionary_encode()
    ranks = np.array([_RANKS.get(name, 0) for name in evidence.dictionary.to_pylist()])
    return np.asarray(ranks[evidence.indices.to_numpy()])


def _differ(columns: Sequence[NDArray[np.generic]], order: I64) -> NDArray[np.bool_]:
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


@dataclass(frozen=True)
class Holders:
    """Intervals, ready to be asked who held an address at an instant."""

    table: pa.Table

    def join(self, traffic: pa.Table) -> pa.Table:
        """Rows of TRAFFIC_SCHEMA to rows of JOINED_SCHEMA."""
        if not len(self.table):
            unknown = [pa.nulls(len(traffic), pa.string())] * (len(JOINED_SCHEMA) - len(TRAFFIC_SCHEMA))
            return pa.Table.from_arrays([*traffic.columns, *unknown], schema=JOINED_SCHEMA)
        best, others = self._held(traffic)
        known = pa.array(best, mask=best < 0)
        at = traffic.column_names.index("ap_mac")
        ap_mac = pc.coalesce(traffic["ap_mac"], self.table["ap_mac"].take(known))
        columns = [*traffic.columns[:at], ap_mac, *traffic.columns[at + 1 :]]
        columns += [self.table[name].take(known) for name in ("ssid", "user", "evidence")]
        return pa.Table.from_arrays([*columns, others], schema=JOINED_SCHEMA)

    def _held(self, traffic: pa.Table) -> tuple[I64, pa.Array]:
        """(n,) the number of the best interval of the row's own MAC or -1, and the other MACs as text."""
        when, mac = instants(traffic, "first_seen"), mac_numbers(traffic["client_mac"])
        held_mac = mac_numbers(self.table["mac"])
        begin, until = instants(self.table, "from"), instants(self.table, "until")
        held_ip, row_ip = mixed(*halves(self.table["ip"])), mixed(*halves(traffic["client_ip"]))
        ranks = np.array([_RANKS.get(name, 0) for name in self.table["evidence"].to_pylist()], np.int64)
        by_ip = np.lexsort((ranks, held_ip))  # the best evidence comes last and stays
        start = np.searchsorted(held_ip[by_ip], row_ip, "left")
        count = np.searchsorted(held_ip[by_ip], row_ip, "right") - start
        best = np.full(len(traffic), -1, np.int64)
        contested: list[tuple[I64, NDArray[np.uint64]]] = []
        for turn in range(int(count.max(initial=0))):
            row = np.flatnonzero(count > turn)
            held = by_ip[start[row] + turn]
            during = (begin[held] <= when[row]) & (when[row] <= until[held])
            own = held_mac[held] == mac[row]
            best[row[during & own]] = held[during & own]
            if (during & ~own).any():
                contested.append((row[during & ~own], held_mac[held[during & ~own]]))
        return best, _as_text(contested, len(traffic))


def _as_text(contested: list[tuple[I64, NDArray[np.uint64]]], count: int) -> pa.Array:
    if not contested:
        return pa.nulls(count, pa.string())
    claims: dict[int, set[int]] = {}
    for rows, macs in contested:
        for row, mac in zip(rows.tolist(), macs.tolist(), strict=True):
            claims.setdefault(row, set()).add(mac)
    texts: dict[frozenset[int], str] = {}
    column: list[str | None] = [None] * count
    for row, claimants in claims.items():
        known = frozenset(claimants)
        column[row] = texts.get(known) or texts.setdefault(known, " ".join(map(mac_text, sorted(known))))
    return pa.array(column, pa.string())
