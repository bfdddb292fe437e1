"""Which halves of a batch are one connection's two directions, and what they come to together.

A device states the two directions apart (uniflows), each when its own timer runs out, and a long connection
in several parts. Two halves are one if each was sent by another side, they overlap or lie at most the idle
timeout apart, and name no two MACs or access points. Of many parts those that begin together are joined.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.flows.sides import BACK, BOTH, COLUMNS, Halves, Mask
from appliance.model.instants import MS, NS

WAIT_NS = 90 * NS
"""How long a half waits for the other. Devices end a flow after 15 s (Cisco, MikroTik, ng_netflow) to 60 s
(Juniper) without a packet, each direction by itself, look at their table every few seconds, and fill a
datagram before they send it."""

APART_NS = 60 * NS
"""Between the end of a request and its answer; reading joins what lies no further apart."""

SAME_NS = 2 * MS
"""By so much may two statements of one flow differ: some devices count milliseconds from their start."""

Index = NDArray[np.int64]

_FILLED = ("near_mac", "far_mac", "ap_mac")


def alike(first: Index, last: Index, other_first: Index, other_last: Index) -> Mask:
    """(n,) whether two flows of equal counts have equal times: exactly, or nearly if they last far longer."""
    tolerance = np.where(last - first > 10 * SAME_NS, SAME_NS, 0)
    apart = np.maximum(np.abs(first - other_first), np.abs(last - other_last))
    return np.asarray(apart <= tolerance)


def fill(columns: dict[str, NDArray[Any]], at: Index, halves: Halves, rows: Index) -> None:
    """Take over what (k,) rows say and the columns at these places do not."""
    for name in _FILLED:
        lacking = columns[name][at] == 0
        columns[name][at[lacking]] = halves[name][rows[lacking]]
    lacking = columns["vlan"][at] < 0
    columns["vlan"][at[lacking]] = halves["vlan"][rows[lacking]]
    for side in ("near", "far"):
        hi, lo, port = (f"{side}_nat_{part}" for part in ("hi", "lo", "port"))
        lacking = (columns[hi][at] == 0) & (columns[lo][at] == 0)
        for name in (hi, lo, port):
            columns[name][at[lacking]] = halves[name][rows[lacking]]


def in_order(halves: Halves, group: Index) -> Index:
    """The order by group and start."""
    return np.lexsort((halves["way"], halves["first"], group))


def couples(halves: Halves, group: Index, order: Index) -> Index:
    """Positions in the order whose row is one connection with the row before it; no row is in two pairs."""
    joins = _joins(halves, group, order)
    if not joins.any():
        return np.empty(0, np.int64)
    starts = np.flatnonzero(~joins)
    run = np.cumsum(~joins) - 1
    length = np.diff(np.append(starts, len(order)))
    position = np.arange(len(order)) - starts[run]
    offset = np.zeros(len(starts), np.int64)
    if length.max() > 2:
        # Of O I O I .. or I O I O ..: those that begin nearest to each other are halves of one part.
        first = halves["first"][order]
        apart = np.where(joins, np.diff(first, prepend=first[0]), 0).astype(np.float64)
        odd = position % 2 == 1
        even_sum = np.bincount(run, np.where(odd, apart, 0))
        odd_sum = np.bincount(run, np.where(odd, 0, apart))
        offset[(length > 2) & (odd_sum * (length // 2) < even_sum * ((length - 1) // 2))] = 1
    shifted = position - offset[run]
    return np.flatnonzero((shifted > 0) & (shifted % 2 == 1))


def latest(halves: Halves, group: Index, order: Index) -> Mask:
    """(n,) in this order: which row of each group began last, of those that the newest finds still waiting.

    What came too long before it has waited in vain, even if it began later: it is not what waits further.
    """
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    since = halves["since"][order]
    newest = np.repeat(np.maximum.reduceat(since, starts), np.diff(np.append(starts, len(order))))
    waits = newest - since <= WAIT_NS
    last = np.zeros(len(order), np.bool_)
    last[np.maximum.reduceat(np.where(waits, np.arange(len(order)), -1), starts)] = True
    return last


def _joins(halves: Halves, group: Index, order: Index) -> Mask:
    """(n,) in this order: whether a row may be the other direction of the row before it."""
    one, other = order[:-1], order[1:]
    way = halves["way"]
    may = (group[one] == group[other]) & (way[one] + way[other] == BACK)  # one of them forth
    if may.any():
        may &= halves["first"][other] - halves["last"][one] <= APART_NS
        may &= np.abs(halves["since"][other] - halves["since"][one]) <= WAIT_NS
        differ = _differ(halves["near_mac"], one, other) | _differ(halves["ap_mac"], one, other)
        differ |= _differ(halves["far_mac"], one, other) & halves.undecided[one]
        may &= ~differ
    return np.append(np.zeros(min(len(order), 1), np.bool_), may)


def _differ(column: NDArray[np.uint64], one: Index, other: Index) -> Mask:
    """(n,) both are known, and not the same."""
    mine, theirs = column[one], column[other]
    return np.asarray((mine != theirs) & (mine != 0) & (theirs != 0))


def united(halves: Halves, one: Index, other: Index) -> Halves:
    """(k,) what two halves come to; `one` began first, and its way stays."""
    both = halves.take(one)
    columns = both.columns
    second = {name: halves[name][other] for name in COLUMNS}
    later = second["last"] > columns["last"]
    equal = second["last"] == columns["last"]
    reason = np.where(equal, np.maximum(columns["end_reason"], second["end_reason"]), columns["end_reason"])
    columns["end_reason"] = np.where(later, second["end_reason"], reason)
    for name in ("last", "received", "since"):
        columns[name] = np.maximum(columns[name], second[name])
    for name in ("sent", "sent_octets", "got", "got_octets"):
        columns[name] = columns[name] + second[name]
    columns["by_receipt"] = columns["by_receipt"] | second["by_receipt"]
    fill(columns, np.arange(len(one)), halves, other)
    return both


def is_biflow(halves: Halves) -> Mask:
    """(n,) both directions are stated already."""
    return np.asarray(halves["way"] == BOTH)
